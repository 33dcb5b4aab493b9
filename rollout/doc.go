// Package rollout decides what one rollout does next.
//
// A rollout is one passage of one pod template through the steps its
// Deployment asks for. Next is the whole of it: an Observation in, a Decision
// out. Time is a value in the observation; the same observation always gives the same
// decision. A decision says what should be true, never what to do, so that
// carrying it out twice, or half and then again, is harmless.
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
// rollout/controller observes the cluster, calls Next and makes it so.
package rollout
