# What the pipeline trains, requires and deploys. steps.sh reads this file; a variable that is set already is kept.
: "${NAME:=@{name}}"
: "${DATA:=@{data}}"              # labelled rows to learn
: "${EVALUATION:=@{evaluation}}"  # labelled rows that nothing is learned from or chosen by
: "${TRAIN_FLAGS:=}"              # for example: --label-column topic --epochs 4
: "${BOUNDS:=@{bounds}}"
: "${MODELS:=@{models}}"          # where bundles are kept: oci://…, s3://… (with bertline[s3] in deploy/requirements*.txt) or file:DIRECTORY
: "${IMAGE:=@{image}}"            # repository of the image, without a tag
: "${CHARTS:=@{charts}}"       # where charts are kept
: "${DEV_URL:=https://dev.example.com}"
: "${PRODUCTION_URL:=https://models.example.com}"
: "${SMOKE_TEXT:=@{text}}"        # the smoke test asks this, with the key in SMOKE_KEY if the service wants one
: "${CHAMPION:=$MODELS/$NAME:production}" # model in use, with which a new one is compared; - for none
: "${GATE_FLAGS:=}"               # for example: --margin 1 --slice-columns source --behaviour deploy/cases.jsonl
: "${TOOLS:=curl git docker helm trivy cosign}" # programs that deploy/hooks need; deploy/tools/Dockerfile has them
export NAME MODELS IMAGE CHARTS
