// Package apisim simulates a Kubernetes API server, and the cached client of one
// manager, in memory. It is for tests only. Unlike the fake client of
// controller-runtime it has caches that lag, it raises generations, and a test
// decides about every single write what becomes of it.
//
//	persons, controllers ──► Server ◄── Live ────────────────┐
//	                           │  ▲                          │ code under test
//	      versions of a kind   │  └── commit ── Intercept ◄──┤
//	                           ▼                             │
//	                     Cache: a version of each kind ─────►┘
//
// What it does as the real one does:
//
//   - resourceVersion: every write has the next one, and a write that changes nothing
//     has none. A write that names an older one is a conflict.
//   - metadata.generation rises with the spec, and of a Deployment with the
//     annotations too (pkg/registry/apps/deployment/strategy.go of Kubernetes).
//   - A write to the object leaves the status, and a write to the status leaves the
//     rest.
//   - Delete respects preconditions and finalizers. What the object owned goes with
//     it, at once.
//
// What it leaves out: validation, defaults, managed fields, watches.
package apisim
