{{- /* What values.schema.json cannot say: rules about several values together. */ -}}
{{- define "bertline.check" -}}
{{- with .Values.image -}}
{{- if not (or .digest .allowTag) -}}
{{- fail (printf "image.digest is empty, so %s could be replaced by other content: set image.digest to the sha256:… of the pushed image, or image.allowTag=true" .repository) -}}
{{- end -}}
{{- if not (or .digest .tag) -}}
{{- fail (printf "image.digest and image.tag are both empty: set one of them for %s" .repository) -}}
{{- end -}}
{{- end -}}

{{- with .Values.stop -}}
{{- $takes := add .preStopSeconds .drainSeconds .longestRequestSeconds 4 -}}
{{- if ge $takes (int .graceSeconds) -}}
{{- fail (printf "stop.graceSeconds is %d, but stopping takes up to %d s (preStopSeconds %d, drainSeconds %d, longestRequestSeconds %d, and 4 to end), so the kubelet would kill requests in progress: raise it to %d or more" (int .graceSeconds) $takes (int .preStopSeconds) (int .drainSeconds) (int .longestRequestSeconds) (add $takes 1)) -}}
{{- end -}}
{{- end -}}

{{- $needed := dict "image" "path" "address" "address" "pvc" "claim" "imageVolume" "reference" "initContainer" "address" "registry" "address" -}}
{{- $source := .Values.model.source -}}
{{- $field := get $needed $source.kind -}}
{{- if not (get $source $field) -}}
{{- fail (printf "model.source.kind is %s, but model.source.%s is empty: set it" $source.kind $field) -}}
{{- end -}}
{{- if include "bertline.pulls" . -}}
{{- $named := hasPrefix "models:/" $source.address -}}
{{- if ne $named (eq $source.kind "registry") -}}
{{- fail (printf "model.source.address is %s, which does not fit model.source.kind %s: models:/NAME@champion goes with registry, and s3://, oci:// and hf:// with address and initContainer" $source.address $source.kind) -}}
{{- end -}}
{{- if not (contains "@" $source.address) -}}
{{- fail (printf "model.source.address is %s, which could be replaced by other content: end it with @sha256:…, as bertline models push prints it, or with the revision on the hub" $source.address) -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.egress.modelSource) -}}
{{- fail (printf "networkPolicy.egress.modelSource is empty, so the pods could not reach %s: list its networks as {cidr, port}" $source.address) -}}
{{- end -}}
{{- end -}}
{{- if eq $source.kind "registry" -}}
{{- if not $source.registrySecret.name -}}
{{- fail (printf "model.source.kind is registry, but model.source.registrySecret.name is empty: name the Secret with the URL of the database that knows %s" $source.address) -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.egress.database) -}}
{{- fail "networkPolicy.egress.database is empty, so the pods could not reach the registry: list it as {to, port}" -}}
{{- end -}}
{{- if .Values.canary.of -}}
{{- fail (printf "canary.of is %s, but the servers of %s roll versions out by themselves: use one of the two" .Values.canary.of $source.address) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $source.kind "imageVolume") (not (contains "@sha256:" $source.reference)) -}}
{{- fail (printf "model.source.reference is %s, which could be replaced by other content: end it with @sha256:…" $source.reference) -}}
{{- end -}}

{{- $auth := .Values.settings.auth | default dict -}}
{{- if .Values.auth.anonymous -}}
{{- if or $auth.issuers $auth.database -}}
{{- fail "auth.anonymous is true, but settings.auth names issuers or a database: set auth.anonymous=false" -}}
{{- end -}}
{{- if and (or .Values.ingress.enabled .Values.httpRoute.enabled) (not .Values.auth.exposeAnonymous) -}}
{{- fail "an Ingress or HTTPRoute would expose the model without authentication: set auth.anonymous=false with settings.auth.issuers or settingsSecret, or auth.exposeAnonymous=true" -}}
{{- end -}}
{{- if and (ne .Values.service.type "ClusterIP") (not .Values.auth.exposeAnonymous) -}}
{{- fail (printf "service.type is %s, which would expose the model without authentication: set auth.anonymous=false with settings.auth.issuers or settingsSecret, or auth.exposeAnonymous=true" .Values.service.type) -}}
{{- end -}}
{{- else if not (or $auth.issuers .Values.settingsSecret) -}}
{{- fail "auth.anonymous is false, but no credentials would be accepted: set settings.auth.issuers, or settingsSecret with [auth] database" -}}
{{- end -}}
{{- $edge := .Values.settings.edge | default dict -}}
{{- $tested := and (or .Values.auth.anonymous .Values.test.keySecret.name) (not (has (include "bertline.fullname" .) ($edge.allowed_hosts | default list))) -}}
{{- if and $edge.allowed_hosts (or $tested .Values.monitoring.serviceMonitor.enabled) -}}
{{- fail (printf "settings.edge.allowed_hosts would refuse %s: leave it out, because an Ingress or HTTPRoute routes by host name" (ternary (printf "helm test, which asks %s" (include "bertline.fullname" .)) "Prometheus, which asks the pods by their addresses" $tested)) -}}
{{- end -}}
{{- if and .Values.externalSecret.enabled (not (and .Values.settingsSecret .Values.externalSecret.store.name .Values.externalSecret.remoteKey)) -}}
{{- fail "externalSecret.enabled needs settingsSecret (the Secret to make), externalSecret.store.name and externalSecret.remoteKey: set the missing ones" -}}
{{- end -}}

{{- with .Values.autoscaling -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail (printf "autoscaling.minReplicas is %d and maxReplicas is %d: raise the latter" (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.enabled needs ingress.host: set the name that clients use" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.gateway.name) -}}
{{- fail "httpRoute.enabled needs httpRoute.gateway.name: set the Gateway that accepts the route" -}}
{{- end -}}
{{- if and (eq (toString .Values.rollout.maxSurge | trimSuffix "%") "0") (eq (toString .Values.rollout.maxUnavailable | trimSuffix "%") "0") -}}
{{- fail "rollout.maxSurge and rollout.maxUnavailable are both 0, so no pod could ever be replaced: raise one of them" -}}
{{- end -}}
{{- end -}}
