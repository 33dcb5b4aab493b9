// Package certs keeps the serving certificate of the webhook valid, and makes the
// API server trust it. No person and no other product is needed. The package
// serves nothing itself: cmd/headgate gives Keeper.GetCertificate to the webhook
// server and Keeper.Check to the readiness probe. Start reading at
// Keeper.Reconcile.
//
// An operator may leave both to cert-manager. Then Mounted takes the place of Keeper, and
// the rest of this text is not about it.
//
// One Secret holds the certificate, and all replicas share it. The CA of the
// certificate is written into the caBundle of the webhook configuration. Every
// replica runs a Keeper. The first one to write wins; the others get a conflict on
// resourceVersion and use what the first one wrote. The Secret is watched and not
// mounted: a kubelet refreshes a volume only after a minute, a watch reports a
// change at once, and the process needs no writable disk.
//
// # Words
//
//   - CA, authority: the certificate that signed the serving certificate.
//   - bundle: the CAs that the API server trusts, in the caBundle of one webhook.
//   - served: the certificate that this replica answers with now.
//   - next: the certificate in the Secret while another one is still served.
//   - settle: how long next waits after its CA is in the bundle.
//
// # Renewal
//
// Each certificate has its own CA, whose key is thrown away: a key that is not
// stored cannot be stolen. A renewal therefore always changes the CA. It goes in
// three steps, so that no request fails:
//
//	Secret     │ old ──► new
//	caBundle   │ [old] ────► [new old]
//	served     │ old ─────────────────── Settle ──► new
//
// The old certificate still has a third of its life then, and its CA stays in the
// bundle, so it does not matter when an API server learns of the new CA. An emptied
// Secret and an emptied caBundle are repaired in the same way.
//
// With the defaults: a certificate of 365 days is renewed after 243 days and 8
// hours, with 121 days and 16 hours left. Each replica serves the new one 10 seconds
// after it saw the new CA in the bundle.
//
// # Why not an existing certificate rotator
//
// open-policy-agent/cert-controller (pkg/rotator, v0.16.0) lists every Secret of
// the namespace, so its permission cannot be restricted to one name. It replaces
// the caBundle instead of extending it, which fails requests while a CA changes.
// It ends the process unless the certificate appears as a file in its CertDir. Only
// the issuing of a certificate is taken from a library, client-go.
package certs
