{{/*
What the manager may do in each namespace that it is for. docs/operating.md says what happens
if one of these writes is refused.
*/}}
{{- define "headgate.rules" -}}
# Hold, phase and condition are written on the user's Deployment; the canary
# Deployment is created and deleted.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments/status]
  verbs: [patch]
# To see which template is stable, and to make the canary's pods pods of the
# Deployment: its ReplicaSet goes, and they get one of the Deployment.
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get, list, watch, create, patch, delete]
# For that ReplicaSet to block the deletion of its owner, as every other does
# (admission plugin OwnerReferencesPermissionEnforcement).
- apiGroups: [apps]
  resources: [deployments/finalizers]
  verbs: [update]
# The canary Service and the canary Ingress, which carries the weight.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch, create, patch, delete]
# To report policies and budgets that match stable pods and not canary pods.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch]
# The scale-down of an autoscaler is switched off during a rollout.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, patch]
# A job step runs a Job from the template of a suspended CronJob.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get]
# To see whether stable and canary can mount a volume at the same time.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
# To see whether a Service also selects other pods, why canary pods do not start,
# and what number a Job wrote. Adopted pods get the labels of stable; one that could not be adopted is
# deleted.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, patch, delete]
# An analysis in a ConfigMap: configmap/NAME of the Deployment's namespace, and recipe/NAME
# of the operator's.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
# One event for each transition.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* What the manager may do with objects that have no namespace. */}}
{{- define "headgate.clusterRules" -}}
# To see which controller serves an Ingress.
- apiGroups: [networking.k8s.io]
  resources: [ingressclasses]
  verbs: [get, list, watch]
{{- if and (eq .Values.admission.mode "webhook") (not .Values.certificates.certManager.enabled) }}
# The CA bundle of Headgate's own webhook.
- apiGroups: [admissionregistration.k8s.io]
  resources: [mutatingwebhookconfigurations]
  resourceNames: [{{ include "headgate.webhookConfiguration" . }}]
  verbs: [get, list, watch, patch]
{{- end }}
{{- end -}}
