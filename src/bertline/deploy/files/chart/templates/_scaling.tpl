{{- /* Up at once and at most doubled; down slowly, because a new replica needs its start. */ -}}
{{- define "bertline.behaviour" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - type: Percent
      value: 100
      periodSeconds: 30
    - type: Pods
      value: 2
      periodSeconds: 30
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.scaleDownAfterSeconds }}
  selectPolicy: Max
  policies:
    - type: Percent
      value: 25
      periodSeconds: 60
    - type: Pods
      value: 1
      periodSeconds: 60
{{- end -}}
