// Package backtest tries an analysis on the past, before it judges a release. At times of
// the past it lets a rollout begin whose canary is a part of stable itself, chosen by
// chance. The judge of today's rollouts judges it.
//
//	Prometheus ── package analysis ──► Replay     what stable did in 5 s each, and a judge
//	                                     │ split   a part of it becomes the canary
//	                                     │ inject  some of the canary's good answers turn bad
//	                                     ▼
//	                                   Report      how often the judge fires, and how fast
//
// As the canary is stable, a judge that fires is wrong: a false alarm. With bad answers
// injected it should fire, and the report says how fast it does.
//
// # What a split at random cannot show
//
// Answers are chosen one by one, but bad ones in clumps as large as the bad answers of the
// same rollout come in. That covers a client that retries and a pod that dies. Clumps also
// seem large where the share of bad answers often changes on all of stable at once, and a
// real canary would have its part of every change. So the report rather shows more false
// alarms than there will be.
//
// Nothing shows what only a new version has: a cold start, a pod on a bad node, other users
// by a header or a cookie. The weight is the same from the beginning to the end.
package backtest
