#!/bin/sh
# The steps of the pipeline, the same ones on a laptop and in every CI system:
#
#   deploy/steps.sh tools                 whether the programs that publish, deploy and verify need are there
#   deploy/steps.sh login                 signs in to the registry, where a password is given
#   deploy/steps.sh check                 the data, the model, the settings
#   deploy/steps.sh train                 a bundle in build/NAME
#   deploy/steps.sh evaluate              its figures and its report
#   deploy/steps.sh gate                  compares it with the model in use; fails unless it may replace that one
#   deploy/steps.sh summary               the comparison as Markdown, for a pull request
#   deploy/steps.sh publish               the bundle into the store; its image, scanned and signed; its chart
#   deploy/steps.sh deploy ENVIRONMENT    dev or production; the release of build/release, or of RELEASE
#   deploy/steps.sh verify ENVIRONMENT    asks what was deployed; goes back to the release before if it does not predict
#   deploy/steps.sh promote               that release is the model in use, with which the next one is compared
#
# What is particular to your registry and your cluster is in deploy/hooks.
set -eu
cd "$(dirname "$0")/.."
. deploy/settings.sh
bundle=build/$NAME
mkdir -p build
case $MODELS in
oci://* | s3://* | file:*) ;;
*) echo "deploy/steps.sh: MODELS=$MODELS has no tags: give oci://…, s3://… or file:DIRECTORY" >&2 && exit 2 ;;
esac

url() {
    case $1 in
    dev) echo "$DEV_URL" ;;
    production) echo "$PRODUCTION_URL" ;;
    *) echo "deploy/steps.sh: there is no environment $1: give dev or production" >&2 && exit 2 ;;
    esac
}

# ask URL: a prediction, into build/smoke.json. The key comes by standard input: everybody can read command lines.
ask() {
    body=$(python3 -c 'import json, sys; print(json.dumps({"text": sys.argv[1]}))' "$SMOKE_TEXT")
    { [ -z "${SMOKE_KEY:-}" ] || printf 'header = "Authorization: Bearer %s"\n' "$SMOKE_KEY"; } |
        curl --config - --fail-with-body --silent --show-error --max-time 30 --retry 5 --retry-all-errors --retry-delay 2 \
            --header "Content-Type: application/json" --data "$body" --output build/smoke.json "$1/v1/predict"
}

# fetch_champion: the model in use into build/champion; nothing where none was ever promoted. An address that cannot be read
# ends the step: a model that is compared with nothing has only its bounds to keep.
fetch_champion() {
    rm -rf build/champion
    [ "$CHAMPION" != - ] || return 0
    bertline models pull "$CHAMPION" --out build/champion 2>build/champion.log && return 0
    grep -Eq 'holds no bundle|does not exist [(]without the manifest [^:)]*[)]' build/champion.log && return 0
    cat build/champion.log >&2
    return 1
}

case ${1:-} in
tools)
    for program in $TOOLS; do
        command -v "$program" >/dev/null || missing="${missing:-} $program"
    done
    if [ -n "${missing:-}" ]; then
        echo "deploy/steps.sh: this machine lacks$missing: deploy/tools/Dockerfile says where each comes from" >&2
        exit 1
    fi
    case " $TOOLS " in
    *" helm "*)
        helm=$(helm version --template '{{.Version}}')
        case $helm in
        v[4-9].* | v[1-9][0-9].*) ;;
        *) echo "deploy/steps.sh: deploy/hooks/release needs Helm 4, and this is $helm: install Helm 4" >&2 && exit 1 ;;
        esac
        ;;
    esac
    ;;
login)
    deploy/hooks/login "$IMAGE"
    ;;
check)
    # shellcheck disable=SC2086 # several flags
    bertline train "$DATA" --out "$bundle" --check $TRAIN_FLAGS
    ;;
train)
    # shellcheck disable=SC2086
    bertline train "$DATA" --out "$bundle" --overwrite $TRAIN_FLAGS
    ;;
evaluate)
    bertline evaluate "$bundle" "$EVALUATION" --report build/report --json >build/figures.json
    ;;
gate)
    fetch_champion
    set -- --data "$EVALUATION" --out build/verdict.json --markdown build/comparison.md --report build/report
    [ ! -d build/champion ] || set -- "$@" --champion build/champion
    # shellcheck disable=SC2086
    bertline gate "$bundle" "$@" $BOUNDS $GATE_FLAGS
    ;;
summary)
    if [ -s build/comparison.md ]; then cat build/comparison.md; else echo "There is no comparison: see the log of the steps."; fi
    ;;
publish)
    release=0.0.0-g$(git rev-parse --short HEAD)
    bertline models push "$bundle" "$MODELS/$NAME:$release"
    deploy/hooks/image "$bundle" "$IMAGE:$release" build/digest
    image=$IMAGE@$(cat build/digest)
    deploy/hooks/scan "$image"
    deploy/hooks/sign "$image"
    deploy/hooks/chart "$bundle" "$image" "$release"
    echo "$release" >build/release
    ;;
deploy)
    url "$2" >/dev/null
    deploy/hooks/release "$2" "$NAME" "${RELEASE:-$(cat build/release)}"
    ;;
verify)
    place=$(url "$2")
    if ask "$place" && grep -q '"predictions"' build/smoke.json; then
        echo "$place predicts: $(cat build/smoke.json)"
    else
        echo "deploy/steps.sh: $place does not predict, so $2 goes back to the release before" >&2
        deploy/hooks/undo "$2" "$NAME"
        exit 1
    fi
    ;;
promote)
    bertline models tag "$MODELS/$NAME:${RELEASE:-$(cat build/release)}" production
    ;;
*)
    sed -n '2,15s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
