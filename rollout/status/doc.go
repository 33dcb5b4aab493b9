// Package status is the one read model of a rollout: it makes one value of the objects of
// a rollout, which says what a person may ask. The command line, a page and notifications
// show a Status; none of them reads annotations, conditions or the state by itself.
//
// Of is pure. It needs the Deployment. Everything else in Objects may be missing, because
// the reader may not list it or it does not exist: the Status then says less, and Unread
// names what could not be read.
//
//	Deployment ── annotations ──► Strategy, Steps, Actions
//	           ── condition ────► Reason, Message, Since
//	           ── state ────────► Rollout, Step, Weight, Analysis, Next, Deadlines
//	ReplicaSets, pods, canary ──► Stable, Canary
//	canary Ingresses ───────────► Weight.Written, Routes
//	events ─────────────────────► Events, Verdicts
package status
