{{- define "bertline.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* 52 characters: "-prediction" is appended to it, and a name has 63 at most. */ -}}
{{- define "bertline.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "bertline.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "bertline.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "bertline.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "bertline.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- /* Labels of one release's pods; a Deployment's selector cannot be changed later. */ -}}
{{- define "bertline.selector" -}}
app.kubernetes.io/name: {{ include "bertline.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end -}}

{{- /* Labels of all pods behind one Service: a stable release and its canaries. */ -}}
{{- define "bertline.behindService" -}}
app.kubernetes.io/part-of: {{ .Values.canary.of | default (include "bertline.fullname" .) }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "bertline.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "bertline.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ include "bertline.version" . | default .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ .Values.canary.of | default (include "bertline.fullname" .) }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "bertline.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .tag }}:{{ .tag }}{{ end }}{{ if .digest }}@{{ .digest }}{{ end }}
{{- end -}}
{{- end -}}

{{- /* Prometheus' job: unique in a cluster, so that each release has its own recorded shares and alerts. */ -}}
{{- define "bertline.job" -}}
{{ .Release.Namespace }}/{{ include "bertline.fullname" . }}
{{- end -}}

{{- define "bertline.autoscaled" -}}
{{- if or .Values.autoscaling.hpa.enabled .Values.autoscaling.keda.enabled }}true{{ end -}}
{{- end -}}

{{- define "bertline.pulls" -}}
{{- if has .Values.model.source.kind (list "address" "initContainer" "registry") }}true{{ end -}}
{{- end -}}

{{- /* Of the model; none where a registry decides, whose alias moves. */ -}}
{{- define "bertline.version" -}}
{{- if ne .Values.model.source.kind "registry" }}{{ .Values.model.version }}{{ end -}}
{{- end -}}

{{- /* What bertline serve gets: NAME=BUNDLE. */ -}}
{{- define "bertline.bundle" -}}
{{- $source := .Values.model.source -}}
{{- $mounted := printf "/models/%s" (trimPrefix "/" $source.path) -}}
{{- $places := dict "image" $source.path "address" $source.address "pvc" $mounted "imageVolume" "/models" "initContainer" "/models/bundle" "registry" $source.address -}}
{{ .Values.model.name }}={{ get $places $source.kind }}
{{- end -}}
