// Package ingress splits the traffic of one Deployment between its stable and
// its canary pods, by way of the Ingresses that already serve it.
//
// For every Service to be split it keeps a canary Service that selects only
// canary pods, and for every stable Ingress that routes to one a canary Ingress
// with the same class, hosts and paths. The weight lives in the canary-weight
// annotation, as ingress-nginx and Traefik's ingress-nginx provider read it, and so
// do the header and the cookie that lead to the canary whatever the weight. If the
// user wants one, an ordinary Ingress leads to the canary under a host of its own.
//
//	stable Ingress web ───────────► Service web         ──► stable pods
//	canary Ingress web-canary ────► Service web-canary  ──► canary pods
//	  canary: "true", canary-weight: "10", canary-by-header: "X-Canary"
//	preview Ingress web-preview ──► Service web-preview ──► canary pods
//	  host preview.web.example.com
//
// It never writes an object that it did not create, and it does not decide: which
// weight is due, whether the canary's pods can carry it, and how long a weight
// needs to settle is the caller's business.
//
// Package cmd calls SetupIndexes, makes a Router and hands it to rollout/controller.
package ingress
