// Package rollout decides what one rollout does next.
//
// A rollout is one passage of one pod template through the steps that its
// Deployment asks for. Next is the whole decision: an Observation in, a Decision
// out. Time is a value in the observation, so the same observation always gives
// the same decision. A decision says what should be true, never what to do, so it
// is harmless to carry it out twice, or half and then again.
//
//	       webhook holds a new template
//	                   │
//	                Pending ──── a precondition is missing: wait, say which
//	                   │
//	                   ▼
//	  ┌──────────► Progressing ◄────► Paused
//	  │                │   │
//	retry              │   └── Fail, abort, deadline ──► RolledBack
//	(a new hold)       │                                     │
//	  │                ▼                                     │ traffic away,
//	  │            Promoting                                 │ settle, drain,
//	  │   release, stable completes,                         │ 0 replicas
//	  │   traffic returns, drain, delete                     │
//	  │                │                                     │
//	  │                ▼                                     │
//	  │               done                                   │
//	  └──────────────────────────────────────────────────────┘
//
// A newer template, a template that runs already, or the end of the opt-in
// retires the canary from any of these: traffic away, settle, drain, delete.
//
// The package reads nothing, writes nothing and knows no clock. Package
// rollout/controller observes the cluster, calls Next and makes the decision true.
//
// # Where to start
//
// next.go has the rules in order of urgency. progress.go goes through the steps:
// what ends a rollout, then the step itself. steps.go has the behaviour of each
// kind of step. promote.go and retire.go are the two ends. The golden stories in
// testdata show each of them as a person sees it.
//
// # Words
//
//   - hold: the new template waits in the Deployment and does not roll out.
//     Release: the hold ends.
//   - routes: the canary Ingresses. They carry a weight (percent of all requests)
//     and a match (requests that come to the canary whatever the weight).
//   - granted: the traffic that the steps gave the canary, and that is on record.
//     It is in force once the routes carry it and Settle has passed.
//   - settle: how long a router takes to act on a write. Drain: how long requests
//     that are under way then take to end.
//   - mode: what Headgate does with the canary (stored). Phase: where the rollout
//     is, for people (an annotation).
//   - baseline: the stable replicas when the rollout began.
//   - problem: a precondition that does not hold and keeps the weight from rising.
//     Gap: something that a person should know and that is no reason to wait.
package rollout
