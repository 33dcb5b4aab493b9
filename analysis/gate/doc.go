// Package gate asks HTTP gates whether a rollout may go on. It sends the question as
// JSON and reads the status of the answer, nothing else.
//
//	headgate.dev/gates (parsed by rollout/spec)
//	   │
//	   ├─ webhook:     Allowed.Check    refuses an address that is not allowed  allowed.go
//	   │
//	   └─ controller:  Gatekeeper.Ask   the gates of one point, in order        gate.go
//	                      │ Allowed.Check    again: the list may have changed   allowed.go
//	                      │ askWithRetries   until there is an answer           request.go
//	                      │ post             one request                        request.go
//	                      ▼
//	                   GateAnswer: open, or closed and why
//
// Start reading at Gatekeeper.Ask. The package does not decide when a rollout asks, or
// what follows from a closed gate. That is in package rollout.
//
// A gate is a URL in an annotation, so everybody who may annotate a Deployment can make
// the manager send requests from its own place in the network. Two rules make that
// harmless. The operator lists the allowed addresses, each a scheme, a host with its
// port and a path, and they are compared exactly. And no redirect is followed, because
// an allowed address could redirect to any other. Of an answer, only the status is
// shown.
//
// Words:
//
//   - Gate: a URL that is asked before one point of a rollout. It is open if it answers
//     with status 2xx, else closed.
//   - Point: where a rollout asks: before start, rise or promotion.
//   - Prefix: what the operator allows: one scheme, host and port, and every path at
//     or below one path.
package gate
