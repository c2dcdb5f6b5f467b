{{- define "rollcall.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release's name with the chart's in it, as `helm create` has it. A DNS label, since it is the service's name. */}}
{{- define "rollcall.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "rollcall.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "rollcall.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Behind a suffix: 63 characters all the same. */}}
{{- define "rollcall.suffixed" -}}
{{- printf "%s-%s" (include "rollcall.fullname" .context | trunc (int (sub 62 (len .suffix))) | trimSuffix "-") .suffix }}
{{- end }}

{{- define "rollcall.selectorLabels" -}}
app.kubernetes.io/name: {{ include "rollcall.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rollcall.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "rollcall.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "rollcall.labels" -}}
{{ include "rollcall.ownLabels" . }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "rollcall.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository (include "rollcall.text" ($image.tag | default .Chart.AppVersion)) }}
{{- end }}
{{- end }}

{{/* Whether an option asks the API server. One that does needs an account of its own with its token. */}}
{{- define "rollcall.asksKubernetes" -}}
{{- if or .Values.config.ROLLCALL_KUBERNETES .Values.config.ROLLCALL_KUBERNETES_RECORD .Values.config.ROLLCALL_KUBERNETES_EVENTS }}true{{- end }}
{{- end }}
{{- define "rollcall.makesAccount" -}}
{{- if or .Values.serviceAccount.create (and (include "rollcall.asksKubernetes" .) (not .Values.serviceAccount.name)) }}true{{- end }}
{{- end }}

{{/* The namespaces of `ROLLCALL_KUBERNETES`, a line each. */}}
{{- define "rollcall.namespaces" -}}
{{- $all := list }}
{{- range splitList "," (include "rollcall.text" .Values.config.ROLLCALL_KUBERNETES) }}
{{- $parts := splitList "." (trim (last (splitList "@" .))) }}
{{- $all = append $all (gt (len $parts) 1 | ternary (last $parts) $.Release.Namespace) }}
{{- end }}
{{- join "\n" (uniq $all) }}
{{- end }}

{{- define "rollcall.serviceAccount" -}}
{{- if include "rollcall.makesAccount" . }}
{{- default (include "rollcall.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* A value as the environment has it: a whole number without an exponent, a list with commas. */}}
{{- define "rollcall.text" -}}
{{- if kindIs "slice" . }}
{{- $parts := list }}
{{- range . }}{{ $parts = append $parts (include "rollcall.text" .) }}{{ end }}
{{- join "," $parts }}
{{- else if and (kindIs "float64" .) (eq . (floor .)) }}
{{- printf "%.0f" . }}
{{- else }}
{{- . | toString }}
{{- end }}
{{- end }}

{{/* What the ConfigMap holds: the chart's own, and over them the values. */}}
{{- define "rollcall.config" -}}
{{- $all := dict "CLUSTER_DOMAIN" .Values.clusterDomain "ROLLCALL_COOKIE_FILE" "/etc/rollcall/cookie" "ROLLCALL_DIST_PORT" "9100" "ROLLCALL_EPMD" "serve" "ROLLCALL_HTTP" "[::]:14369" "ROLLCALL_LOG_FORMAT" "json" "ROLLCALL_STATE_DIR" "/var/lib/rollcall" }}
{{- if .Values.tls.secretName }}
{{- $all = merge $all (dict "ROLLCALL_TLS" "on" "ROLLCALL_TLS_CERT" "/etc/rollcall-tls/tls.crt" "ROLLCALL_TLS_KEY" "/etc/rollcall-tls/tls.key" "ROLLCALL_TLS_CA" "/etc/rollcall-tls/ca.crt") }}
{{- end }}
{{- if .Values.http.tls.secretName }}
{{- $all = merge $all (dict "ROLLCALL_HTTP_TLS_CERT" "/etc/rollcall-http-tls/tls.crt" "ROLLCALL_HTTP_TLS_KEY" "/etc/rollcall-http-tls/tls.key") }}
{{- end }}
{{- if .Values.http.auth.secretName }}
{{- $all = set $all "ROLLCALL_HTTP_AUTH_FILE" "/etc/rollcall-http-auth/auth" }}
{{- end }}
{{- range $variable, $value := .Values.config }}
{{- if kindIs "invalid" $value }}
{{- $all = unset $all $variable }}
{{- else }}
{{- $all = set $all $variable (include "rollcall.text" $value) }}
{{- end }}
{{- end }}
{{- /* With the API server as the source the default one is not asked for as well. */}}
{{- if and .Values.config.ROLLCALL_KUBERNETES (eq (get $all "ROLLCALL_SRV") "app@_dist._tcp.app") }}
{{- $all = unset $all "ROLLCALL_SRV" }}
{{- end }}
{{- range $variable, $value := $all }}
{{ $variable }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* What page, API, metrics and probes are asked over. */}}
{{- define "rollcall.scheme" -}}
{{- if or .Values.http.tls.secretName .Values.config.ROLLCALL_HTTP_TLS_CERT }}https{{ else }}http{{ end }}
{{- end }}

{{/* The Secrets, as volumes and their mounts; those for HTTP are of no use to `check`. */}}
{{- define "rollcall.tlsVolume" -}}
- name: tls
  secret:
    secretName: {{ .Values.tls.secretName }}
    defaultMode: 0440
{{- end }}
{{- define "rollcall.tlsMount" -}}
- name: tls
  mountPath: /etc/rollcall-tls
  readOnly: true
{{- end }}

{{/* The container's variables: the chart's own, or those of `extraEnv` in their place. A variable can refer to those before it. */}}
{{- define "rollcall.env" -}}
{{- $given := dict }}
{{- range .Values.extraEnv }}{{ $_ := set $given .name . }}{{ end }}
{{- with $given.NAMESPACE }}
{{ list . | toYaml }}
{{- else }}
- name: NAMESPACE
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: metadata.namespace
{{- end }}
{{- with $given.SERVICE }}
{{ list . | toYaml }}
{{- else }}
- name: SERVICE
  value: {{ include "rollcall.fullname" $ }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if not (has .name (list "NAMESPACE" "SERVICE")) }}
{{ list . | toYaml }}
{{- end }}
{{- end }}
{{- if not (hasKey $given "ROLLCALL_NAME") }}
- name: ROLLCALL_NAME
  value: rollcall@$(SERVICE).$(NAMESPACE).svc.$(CLUSTER_DOMAIN)
{{- end }}
{{- end }}

{{- define "rollcall.podSecurityContext" -}}
{{- $context := .Values.podSecurityContext }}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1/SecurityContextConstraints" }}
{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" }}
{{- end }}
{{- toYaml $context }}
{{- end }}

{{/* Where the alerts' links lead: what is set, else the page of the first host of the Ingress, else nowhere. */}}
{{- define "rollcall.runbook" -}}
{{- if .Values.alerts.runbook -}}
{{- .Values.alerts.runbook -}}
{{- else if and .Values.ingress.enabled .Values.ingress.hosts -}}
{{- printf "%s://%s/runbook" (.Values.ingress.tls | empty | ternary "http" "https") (first .Values.ingress.hosts).host -}}
{{- end -}}
{{- end -}}
