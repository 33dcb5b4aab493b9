// Package controller carries rollouts out: it observes a Deployment, lets package
// rollout decide, and applies the decision. It decides nothing itself.
//
// # One reconcile
//
// Reconcile (controller.go) handles one Deployment and has three parts.
//
// observe (observe.go) reads caches, and the API server where a cache may be too
// old, and collects everything in a snapshot:
//
//  1. The Deployment itself, its annotations and the command in them
//     (readCommand).
//  2. The canary Deployment with the state of the rollout (observeCanary), and the
//     ReplicaSets of stable (observeStable; revisions.go counts revisions). Where a
//     held template looks like an earlier one, whole templates are compared
//     (compareWhole, sent.go). If nothing is held and there is no canary, it stops
//     here.
//  3. The traffic, which the Router knows (observeTraffic).
//  4. While there is a canary (observeCanaryPods): why its pods are not Available
//     (podfailure.go, message.go), and which Jobs test it (job.go).
//  5. How the rollout is judged, which the Judge knows (observeAnalysis).
//
// decide (answer.go) calls rollout.Next. The decision may need more: a measurement,
// the Job of the present step (job.go, jobtemplate.go), the answer of gates. answer
// gets it, and rollout.Next decides again. Metrics and gates may take long, so they
// are asked beside the workers (questions.go), and meanwhile rollout.Next decides
// without them.
//
// When nothing else is in the way of a canary, the decision needs the checks before a
// start (start.go): whose pods are behind the Services, what would keep canary pods
// from running beside stable pods (podconflict.go), which policies miss them
// (policies.go), and which autoscalers cannot be held (scaledown.go).
//
// apply (apply.go) makes the decision true in twelve steps, in this order:
//
//  1. takeTraffic    lower the weight, or remove the canary routes
//  2. writeCanary    the canary Deployment: state and replicas (canary.go builds it, sent.go copies)
//  3. reportNotes    an event for each thing that happened (report.go)
//  4. holdScaleDown  keep autoscalers from shrinking stable (scaledown.go)
//  5. addTraffic     raise the weight
//  6. applyJob       create the Job of this step, delete those of others (job.go)
//  7. removeLeftovers  delete the Services of a canary that is gone (leftovers.go)
//  8. recordRelease  the template that is about to be released (report.go)
//  9. writeStable    the user's Deployment: hold, phase and command
//  10. report         the condition and its event (report.go), and those for kstatus (kstatus.go)
//  11. freeScaleDown  let autoscalers shrink stable again (scaledown.go)
//  12. removeCanary   delete the canary Services and the canary Deployment
//
// The comment on apply says why the order is this one. Reconcile then asks to be
// called again at the time that the decision names. Everything else that a decision
// depends on is watched (watch.go).
//
// # Two managers
//
// Several managers may run. Each serves the webhook; leader election lets only one
// reconcile. For a short time two may reconcile: a leader that lost its lease may
// be in the middle of apply when the next one starts, and the caches of the new
// one may be older than the last write of the old one. That does no harm:
//
//   - Every write to the spec or an annotation of a Deployment names the
//     resourceVersion that was read. When somebody else wrote one of these since,
//     nothing is written (patchDeployment), and Reconcile tries again with what is
//     true now (requeueIfStale). The Router and the Autoscalers do the same. Only a
//     condition can be older than the rollout; the next reconcile corrects it.
//   - Before traffic is added and before a Job is created, both the generation and
//     the UID are compared with the API server, not with a cache (confirmUnchanged).
//     So a manager that did not see an abort cannot raise the weight.
//   - Taking traffic away needs no such check: stable can serve all of it at any
//     time.
//   - The names of what is created follow from the rollout, so two managers create
//     one object: the second one gets AlreadyExists and tries again.
//
// Two installations of Headgate in one cluster have two leases. Both would
// reconcile all the time; install it once.
//
// # Words of this package
//
//   - stable: the user's Deployment (dep), and the version that its pods run.
//   - canary: the Deployment with the new template (canaryDep), which Headgate
//     creates.
//   - hold: the annotation spec.AnnotationRollout with spec.paused: the template
//     waits. Held autoscalers are another thing: their scale-down is off.
//   - release: remove the hold, so that Kubernetes rolls the template out.
//   - phase, state: where the rollout is. The phase is an annotation on stable, for
//     people; the state is an annotation on the canary, for Headgate.
//   - track label: a pod label whose value differs between stable and canary pods.
//   - gap: something that a person should know before a canary starts, and that
//     does not prevent it. A problem prevents it.
//   - note: something that happened once, for one event and one log line.
//   - stale: older than what the API server has.
//
// Only package cmd constructs a Reconciler. It gives it a Router, a Judge, a
// Gatekeeper and Autoscalers (interfaces.go); this package imports none of the
// packages that implement them.
package controller
