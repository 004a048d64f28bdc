{{- define "bertline.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ int64 .Values.image.uid }}
runAsGroup: {{ int64 .Values.image.uid }}
fsGroup: {{ int64 .Values.image.uid }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "bertline.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* What clients of object stores read from the environment. */ -}}
{{- define "bertline.store" -}}
{{- range $name, $value := .Values.model.source.variables }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "bertline.credentials" -}}
{{- with .Values.model.source.credentialsSecret -}}
envFrom:
  - secretRef:
      name: {{ . }}
{{- end }}
{{- end -}}

{{- /* Settings as variables; a list is separated by commas. */ -}}
{{- define "bertline.settings" -}}
- name: BERTLINE_SERVE_HOST
  value: 0.0.0.0
- name: BERTLINE_SERVE_PORT
  value: "8000"
{{- with .Values.stop }}
- name: BERTLINE_SERVE_DRAIN_S
  value: {{ .drainSeconds | quote }}
- name: BERTLINE_SERVE_SHUTDOWN_TIMEOUT_S
  value: {{ .longestRequestSeconds | quote }}
- name: BERTLINE_SERVE_REQUEST_TIMEOUT_MS
  value: {{ mul .longestRequestSeconds 1000 | quote }}
- name: BERTLINE_SERVE_STOP_GRACE_S
  value: {{ sub .graceSeconds .preStopSeconds | quote }}
{{- end }}
{{- if .Values.auth.anonymous }}
- name: BERTLINE_SERVE_INSECURE
  value: "true"
{{- end }}
{{- range $component, $settings := .Values.settings }}
{{- range $name, $value := $settings }}
- name: {{ printf "BERTLINE_%s_%s" $component $name | upper }}
  value: {{ (kindIs "slice" $value | ternary (join "," $value) (kindIs "float64" $value | ternary (toJson $value) (toString $value))) | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "bertline.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 256Mi
{{- with .Values.model.source }}
{{- if has .kind (list "address" "initContainer" "registry") }}
- name: models
  emptyDir:
    sizeLimit: {{ .cacheSize }}
{{- else if eq .kind "pvc" }}
- name: models
  persistentVolumeClaim:
    claimName: {{ .claim }}
    readOnly: true
{{- else if eq .kind "imageVolume" }}
- name: models
  image:
    reference: {{ .reference }}
    pullPolicy: IfNotPresent
{{- end }}
{{- end }}
{{- with .Values.settingsSecret }}
- name: settings
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    optional: false
{{- end }}
{{- end -}}

{{- define "bertline.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if ne .Values.model.source.kind "image" }}
- name: models
  mountPath: /models
  readOnly: {{ not (has .Values.model.source.kind (list "address" "registry")) }}
{{- end }}
{{- if .Values.settingsSecret }}
- name: settings
  mountPath: /etc/bertline
  readOnly: true
{{- end }}
{{- end -}}

{{- define "bertline.spread" -}}
{{- $constraints := list -}}
{{- range $key, $policy := dict "topology.kubernetes.io/zone" .Values.spread.zones "kubernetes.io/hostname" .Values.spread.nodes }}
{{- if ne $policy "off" }}
{{- $constraints = append $constraints (list $key $policy) }}
{{- end }}
{{- end }}
{{- if $constraints -}}
topologySpreadConstraints:
{{- range $constraints }}
  - topologyKey: {{ first . }}
    maxSkew: 1
    whenUnsatisfiable: {{ last . }}
    labelSelector:
      matchLabels:
        {{- include "bertline.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end -}}

{{- define "bertline.server" -}}
- name: server
  image: {{ include "bertline.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [serve, {{ include "bertline.bundle" . | quote }}]
  {{- if .Values.settingsSecret }}
  workingDir: /etc/bertline
  {{- end }}
  env:
    {{- include "bertline.settings" . | nindent 4 }}
    {{- if has .Values.model.source.kind (list "address" "registry") }}
    - name: BERTLINE_STORE_CACHE
      value: /models
    {{- with include "bertline.store" . | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- if eq .Values.model.source.kind "registry" }}
    - name: BERTLINE_REGISTRY_URL
      valueFrom:
        secretKeyRef:
          name: {{ .Values.model.source.registrySecret.name }}
          key: {{ .Values.model.source.registrySecret.key }}
    {{- end }}
  {{- if has .Values.model.source.kind (list "address" "registry") }}
  {{- with include "bertline.credentials" . }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- end }}
  ports:
    - name: http
      containerPort: 8000
      protocol: TCP
  startupProbe:
    httpGet: { path: /readyz, port: http, scheme: HTTP }
    periodSeconds: 2
    timeoutSeconds: 2
    failureThreshold: {{ divf .Values.startup.seconds 2 | ceil | int }}
    successThreshold: 1
  readinessProbe:
    httpGet: { path: /readyz, port: http, scheme: HTTP }
    periodSeconds: 5
    timeoutSeconds: 2
    failureThreshold: 2
    successThreshold: 1
  livenessProbe:
    httpGet: { path: /livez, port: http, scheme: HTTP }
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 3
    successThreshold: 1
  lifecycle:
    preStop:
      sleep:
        seconds: {{ .Values.stop.preStopSeconds }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    {{- include "bertline.containerSecurity" . | nindent 4 }}
  volumeMounts:
    {{- include "bertline.mounts" . | nindent 4 }}
{{- end -}}

{{- define "bertline.puller" -}}
- name: model
  image: {{ include "bertline.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [models, pull, {{ .Values.model.source.address | quote }}, --out, /models/bundle]
  {{- with .Values.model.source.variables }}
  env:
    {{- include "bertline.store" $ | trim | nindent 4 }}
  {{- end }}
  {{- with include "bertline.credentials" . }}
  {{- . | nindent 2 }}
  {{- end }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    {{- include "bertline.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
    - name: models
      mountPath: /models
{{- end -}}
