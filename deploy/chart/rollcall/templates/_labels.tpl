{{- define "rollcall.labels" -}}
app.kubernetes.io/name: {{ .Values.name }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "rollcall.configName" -}}
{{ .Values.name }}-{{ .Values.config | toJson | sha256sum | trunc 10 }}
{{- end }}
