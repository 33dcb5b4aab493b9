{{/*
The variables that every policy of Headgate shares: what is known of a write, and the
decision that the table in webhook/doc.go makes about it. The webhook and the policies
must decide alike; test/admission compares them. Kubernetes 1.31 must understand all of
this, because the guard uses it too.

A second evaluation on its own result gives the same decision: the API server evaluates
a policy again after another admission plugin changed the object, and the guard sees
the object only after everybody has changed it.
*/}}
{{- define "headgate.policy.variables" -}}
- name: was
  expression: "oldObject == null ? {} : oldObject.metadata.?annotations.orValue({})"
- name: now
  expression: "object.metadata.?annotations.orValue({})"
- name: optedInBefore
  expression: "'headgate.dev/strategy' in variables.was"
- name: optedIn
  expression: "'headgate.dev/strategy' in variables.now"
- name: pausedBefore
  expression: "oldObject != null && oldObject.spec.?paused.orValue(false)"
- name: paused
  expression: "object.spec.?paused.orValue(false)"
- name: heldBefore
  expression: "variables.optedInBefore && variables.pausedBefore && 'headgate.dev/rollout' in variables.was"
- name: held
  expression: "variables.optedIn && variables.paused && 'headgate.dev/rollout' in variables.now"
- name: rollout
  expression: "oldObject == null ? '' : string(oldObject.metadata.?generation.orValue(0) + 1)"
- name: changed
  expression: "oldObject != null && object.spec.template != oldObject.spec.template"
# The templates differ only in the time of the last restart. Every entry of the one is
# looked for in the other, and the other way round.
- name: restarted
  expression: >-
    variables.changed
    && object.spec.template.spec == oldObject.spec.template.spec
    && [[object, oldObject], [oldObject, object]].all(pair,
    dyn(pair[0].spec.template.?metadata.orValue({})).all(field, field == 'annotations'
    || dyn(pair[1].spec.template.?metadata.orValue({}))[?field] == dyn(pair[0].spec.template.metadata)[?field])
    && pair[0].spec.template.?metadata.?annotations.orValue({}).all(key, key == 'kubectl.kubernetes.io/restartedAt'
    || pair[1].spec.template.?metadata.?annotations.orValue({})[?key]
    == pair[0].spec.template.metadata.annotations[?key]))
- name: scaledToZero
  expression: "[object, oldObject].exists(o, o != null && o.spec.?replicas.orValue(1) == 0)"
- name: recreated
  expression: "object.spec.?strategy.?type.orValue('') == 'Recreate'"
- name: noCanary
  expression: "variables.scaledToZero || variables.recreated"
# When this policy is evaluated a second time for one write, the object is paused by the
# first. The id of the rollout that this very write starts tells that from the user's
# pause that goes on.
- name: endsUserPause
  expression: >-
    variables.pausedBefore && !variables.heldBefore && (!variables.paused
    || !variables.noCanary && variables.now[?'headgate.dev/rollout'].orValue('') == variables.rollout)
- name: decision
  expression: >-
    oldObject == null ? 'Created'
    : !variables.optedIn ? (variables.heldBefore ? 'Released' : variables.changed ? 'Bypassed' : 'OptedOut')
    : variables.heldBefore ? (variables.changed ? 'Held' : 'StillHeld')
    : variables.changed && variables.pausedBefore && !variables.endsUserPause ? 'UserPaused'
    : variables.restarted && !variables.endsUserPause
    && variables.now[?'headgate.dev/restart'].orValue('rolling') == 'rolling' ? 'Restarted'
    : !variables.changed && !variables.endsUserPause ? 'Allowed'
    : variables.noCanary ? 'Bypassed' : 'Held'
{{- end -}}

{{/* What every policy is about: creates (unless the argument says otherwise) and updates of Deployments. */}}
{{- define "headgate.policy.constraints" -}}
matchPolicy: Equivalent
namespaceSelector: {{- include "headgate.namespaceSelector" .context | nindent 2 }}
resourceRules:
  - apiGroups: [apps]
    apiVersions: [v1]
    resources: [deployments]
    operations: {{ .operations }}
    scope: Namespaced
{{- end -}}

{{/* The manager alone releases a hold and sets the phase: its writes are stored as they are. */}}
{{- define "headgate.policy.notByTheManager" -}}
- name: not-by-the-manager
  expression: >-
    request.userInfo.username !=
    'system:serviceaccount:{{ .Release.Namespace }}:{{ include "headgate.fullname" . }}'
{{- end -}}

{{/*
What CEL can check of what a user writes: one entry for each annotation, with the
condition for its value v, and the words of the webhook's denial. rollout/spec is what
these follow. Steps, gates and analysis are a language of their own: the manager alone
checks them.
*/}}
{{- define "headgate.policy.values" -}}
{{- $duration := "a duration is a number and a unit (30s, 5m, 1h, 2d), more than 0 and at most 365d" -}}
{{- $isDuration := "v.matches('^([0-9]{1,3}d|[+]?([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))*)$') && v.matches('[1-9]')" -}}
strategy:
  valid: "v in ['canary', 'blue-green']"
  rule: a strategy is canary or blue-green
  example: canary
restart:
  valid: "v in ['rolling', 'canary']"
  rule: a restart is rolling or canary
  example: canary
promotion:
  valid: "v in ['adoption', 'rolling']"
  rule: a promotion is adoption or rolling
  example: rolling
report-status:
  valid: "v == 'kstatus'"
  rule: the only value is kstatus; remove the annotation to report nothing
  example: kstatus
rollback-window:
  valid: "v.matches('^0*([1-9][0-9]?|100)$')"
  rule: a rollback window is a number of revisions, 1..100
  example: "3"
progress-deadline:
  valid: {{ $isDuration | quote }}
  rule: {{ $duration | quote }}
  example: 10m
rollout-deadline:
  valid: {{ $isDuration | quote }}
  rule: {{ $duration | quote }}
  example: 24h
preview-host:
  valid: "v.size() <= 253 && v.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)+$')"
  rule: is not a host name in lower case
  example: preview.web.example.com
track-label:
  valid: "v.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$')"
  rule: is not a label key
  example: app.kubernetes.io/instance
command:
  valid: "v.matches('^(promote|promote-full|pause|resume|abort|retry)(:.*)?$')"
  rule: a command is one of promote, promote-full, pause, resume, abort, retry
  example: promote
{{- end -}}

{{/* The annotations that a user may write, as in rollout/spec, and those that Headgate writes beside them. */}}
{{- define "headgate.policy.writable" -}}
headgate.dev/analysis, headgate.dev/command, headgate.dev/gates, headgate.dev/ingress, headgate.dev/preview-host, headgate.dev/progress-deadline, headgate.dev/promotion, headgate.dev/report-status, headgate.dev/restart, headgate.dev/rollback-window, headgate.dev/rollout-deadline, headgate.dev/service, headgate.dev/steps, headgate.dev/strategy, headgate.dev/track-label
{{- end -}}
{{- define "headgate.policy.known" -}}
{{- range include "headgate.policy.writable" . | splitList ", " -}}
'{{ . }}', {{ end -}}
'headgate.dev/rollout', 'headgate.dev/phase'
{{- end -}}
