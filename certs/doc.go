// Package certs keeps the serving certificate of the webhook valid, and the API
// server trusting it, without a person and without another product. It serves
// nothing itself: cmd gives Keeper.GetCertificate to the webhook server and
// Keeper.Check to the readiness probe.
//
// A self-issued certificate lives in one Secret that all replicas share; its CA
// is put into the caBundle of the webhook configuration. Every replica runs a
// Keeper: whoever comes first writes, the others lose by resourceVersion and
// take what was written. Nothing is mounted: a kubelet refreshes a volume only
// after a minute, a watch tells at once, and the process needs no writable disk.
//
// # Renewal
//
// Each certificate has a CA of its own, whose key is thrown away: what is not
// stored cannot be stolen. A renewal is therefore always a change of CA, and
// goes so that no request is refused:
//
//	Secret     │ old ──► new
//	caBundle   │ [old] ────► [new old]
//	served     │ old ─────────────────── Settle ──► new
//
// The old certificate is renewed with a third of its life left and stays in the
// bundle, so an API server may learn of either in any order. The same path heals
// a Secret that was emptied and a caBundle that was wiped.
//
// # Why not a certificate rotator from elsewhere
//
// open-policy-agent/cert-controller (pkg/rotator, v0.16.0) was weighed. It lists
// every Secret of the namespace, so its permission cannot be narrowed to one
// name; it replaces the caBundle instead of extending it, which refuses requests
// while a CA changes; and it ends the process unless the certificate appears as
// a file in its CertDir. The issuing is client-go's.
package certs
