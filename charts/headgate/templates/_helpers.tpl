{{/* The name of every object of this release. */}}
{{- define "headgate.fullname" -}}
{{- if contains "headgate" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-headgate" (.Release.Name | trunc 41 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* The labels that select the pods: they never change. */}}
{{- define "headgate.selector" -}}
app.kubernetes.io/name: headgate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The labels of every object. */}}
{{- define "headgate.labels" -}}
{{ include "headgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: headgate
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/*
The name of the webhook configuration. The API server calls mutating webhooks in the
order of the names of their configurations. Headgate's comes last: a webhook behind it
could change the template of a write that did not change it, such as one of labels. A
webhook that was not called in the first round, because its matchConditions did not
hold, is not called again for a later webhook's change, so that change would go out
without a canary.
*/}}
{{- define "headgate.webhookConfiguration" -}}
zz-{{ include "headgate.fullname" . }}
{{- end -}}

{{/* The Secret that holds the serving certificate. */}}
{{- define "headgate.certSecret" -}}
{{ include "headgate.fullname" . }}-cert
{{- end -}}
