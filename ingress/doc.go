// Package ingress splits the traffic of one Deployment between its stable and its
// canary pods, through the Ingresses that already serve it.
//
// For each Service whose traffic is split, it makes a canary Service that selects
// only canary pods. For each Ingress that leads to such a Service, it makes a canary
// Ingress with the same class, hosts and paths. The weight is in the annotation
// canary-weight, which ingress-nginx and Traefik's ingress-nginx provider read. So
// are the header and the cookie that send a request to the canary whatever the
// weight is. If the user wants a preview, an ordinary Ingress leads to the canary
// pods under a host of its own.
//
//	stable Ingress web ───────────► Service web         ──► stable pods
//	canary Ingress web-canary ────► Service web-canary  ──► canary pods
//	  canary: "true", canary-weight: "10", canary-by-header: "X-Canary"
//	preview Ingress web-preview ──► Service web-preview ──► canary pods
//	  host preview.web.example.com
//
// The package never writes an object that it did not create, and it decides nothing.
// The caller decides which weight is due, whether the canary pods can take it, and
// how long to wait after a write until controllers act on it.
//
// # Words
//
//   - stable: the user's Services and Ingresses, and the pods that they serve.
//   - own: an object that Headgate made for this Deployment. All others are foreign.
//   - purpose: what an own object is for, the canary or the preview. Its name ends
//     with it.
//   - snapshot: what one look at the cache found in the namespace, sorted into own
//     objects and others.
//   - routes: the stable Services and Ingresses through which requests reach the
//     pods, and which of the Services are split.
//   - split (trafficSplit): which requests go to the canary: a weight in percent,
//     and a match of a header or a cookie.
//   - assumed split: the split that may be in force. It is never below the truth:
//     if canary Ingresses differ, or somebody edited one, it has the highest weight.
//   - dialect: the annotations that an ingress controller reads, by their prefix.
//   - location: host, path and path type, as ingress-nginx compares them.
//   - precondition, problem: what must be true before a split does what its weight
//     says, and the message to the user if it is not.
//   - inspection: everything that one pass knows: snapshot, routes, target and plan.
//   - plan: the writes and deletions that make the own objects as they should be.
//
// # Where to start
//
// Read router.go. Observe tells the caller how things are, SetWeight makes them as
// the caller wants, and both go the same way:
//
//  1. readSnapshot (snapshot.go) reads what may matter (finder.go, index.go), discover (routes.go) finds the
//     routes in it.
//  2. checkPreview (problem_preview.go) decides whether the preview is allowed. If
//     not, the rest of the pass goes on as if the user wanted none.
//  3. makePlan (plan.go) builds every own object as it should be (canary_ingress.go,
//     derived_service.go, preview.go) and compares it with the snapshot. Observe
//     plans for the assumed split (weight.go, match.go), SetWeight for the new one.
//  4. Observe looks whether the plan is empty (Traffic.Current) and goes through the
//     preconditions (problem.go). SetWeight carries the plan out (apply.go), unless
//     somebody changed the canary Ingresses since the caller decided, or there is
//     nothing to split.
//
// Remove and Cleanup (remove.go) need none of this: they delete own objects by label.
//
// To add a precondition, add a row to a table in problem.go. To add a purpose, follow
// the type purpose: the linter names the switch that must know it.
//
// Package cmd calls SetupIndexes, makes a Router and hands it to rollout/controller.
package ingress
