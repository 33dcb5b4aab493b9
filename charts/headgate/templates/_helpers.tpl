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
{{ include "headgate.labelsAnd" (list . dict) }}
{{- end -}}

{{/* The labels of an object that has more: a list of the root and the other labels. */}}
{{- define "headgate.labelsAnd" -}}
{{- $root := first . -}}
{{- $more := merge dict (last .) $root.Values.commonLabels -}}
{{- range list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version"
      "app.kubernetes.io/part-of" "app.kubernetes.io/managed-by" "helm.sh/chart" -}}
{{- if hasKey $more . -}}
{{- fail (printf "%s is a label of the chart's own: take it out of commonLabels, podLabels and labels" .) -}}
{{- end -}}
{{- end -}}
{{ include "headgate.selector" $root }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: headgate
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- with $more }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
The name of what has no namespace, and of what is in the namespace of others. It is unique in
the cluster in namespaced mode, where there may be several releases: no namespace has a dot.
*/}}
{{- define "headgate.clusterName" -}}
{{ include "headgate.fullname" . }}
{{- with .Values.namespaces }}.{{ $.Release.Namespace }}{{ end }}
{{- end -}}

{{/*
The Lease for leader election. In cluster mode it has the same name in every release, so that
two releases in one namespace do not both lead.
*/}}
{{- define "headgate.lease" -}}
{{ .Values.namespaces | empty | ternary "headgate" (include "headgate.fullname" .) }}
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
zz-{{ include "headgate.clusterName" . }}
{{- end -}}

{{/* The Secret into which cert-manager writes the serving certificate. */}}
{{- define "headgate.mountedSecret" -}}
{{ include "headgate.fullname" . }}-tls
{{- end -}}

{{/* The Secret that holds the serving certificate. */}}
{{- define "headgate.certSecret" -}}
{{ include "headgate.fullname" . }}-cert
{{- end -}}

{{/* The image of the manager. */}}
{{- define "headgate.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The resources of a manager. docs/operating.md, "Size", has the measurements. */}}
{{- define "headgate.resources" -}}
{{- $sizes := dict
      "small" (dict "requests" (dict "cpu" "50m" "memory" "64Mi") "limits" (dict "memory" "128Mi"))
      "medium" (dict "requests" (dict "cpu" "50m" "memory" "96Mi") "limits" (dict "memory" "256Mi"))
      "large" (dict "requests" (dict "cpu" "100m" "memory" "128Mi") "limits" (dict "memory" "512Mi")) -}}
{{ toYaml (.Values.resources | default (get $sizes .Values.size)) }}
{{- end -}}

{{/* The namespaces of namespaced mode, checked. Empty in cluster mode. */}}
{{- define "headgate.namespaces" -}}
{{- if has .Release.Namespace .Values.namespaces -}}
{{- fail (printf "namespaces has %s, the namespace of the release: Deployments there are never held" .Release.Namespace) -}}
{{- end -}}
{{ join "," .Values.namespaces }}
{{- end -}}

{{/*
The namespaces whose Deployments may be held. A write that is refused because Headgate
is away must not be one that Headgate itself or the cluster needs to start again.
*/}}
{{- define "headgate.namespaceSelector" -}}
{{- with .Values.webhook.namespaceSelector.matchLabels }}
matchLabels: {{- toYaml . | nindent 2 }}
{{- end }}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values: [kube-system, {{ .Release.Namespace }}]
  {{- with .Values.namespaces }}
  - key: kubernetes.io/metadata.name
    operator: In
    values: {{- toYaml . | nindent 6 }}
  {{- end }}
  {{- with .Values.webhook.namespaceSelector.matchExpressions }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
The policies of this release, as KIND/NAME, in the order in which they go: a policy without
its binding does nothing.
*/}}
{{- define "headgate.policies" -}}
{{- $name := include "headgate.clusterName" . -}}
{{- if eq .Values.admission.mode "policy" -}}
MutatingAdmissionPolicyBinding/{{ $name }}-hold MutatingAdmissionPolicy/{{ $name }}-hold
{{- range list "annotations" "warnings" }} ValidatingAdmissionPolicyBinding/{{ $name }}-{{ . }} ValidatingAdmissionPolicy/{{ $name }}-{{ . }}
{{- end }}
{{- else if ne .Values.admission.guard "Off" -}}
ValidatingAdmissionPolicyBinding/{{ $name }}-guard ValidatingAdmissionPolicy/{{ $name }}-guard
{{- end -}}
{{- end -}}

{{/* files/alerts.yaml for this release; its comment says what is replaced. */}}
{{- define "headgate.alerts" -}}
{{- $alerts := .Files.Get "files/alerts.yaml" -}}
{{- if .Values.namespaces -}}
{{- $alerts = $alerts | replace `namespace=~".+"` (printf `namespace=~"%s"` (join "|" .Values.namespaces)) -}}
{{- $alerts = $alerts | replace `namespace=~".*"` (printf `namespace="%s"` .Release.Namespace) -}}
{{- $alerts = $alerts | replace `name="headgate"` (printf `name="%s"` (include "headgate.lease" .)) -}}
{{- end -}}
{{ $alerts }}
{{- end -}}
