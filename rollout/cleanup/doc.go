// Package cleanup ends every rollout, so that nothing of Headgate is left in the cluster.
//
// It decides nothing about traffic and pods, and removes nothing itself: the manager does
// that, in the order that it keeps in every rollout. A Cleanup only makes the writes that a
// person would make, waits, and says what it waits for:
//
//	the template of the rollout       what Cleanup writes            what the manager then does
//	--------------------------------  -----------------------------  -----------------------------
//	is not judged yet                 the template of stable (Undo)  retires the canary, releases
//	                                  or promote-full (Ship)         promotes
//	was rolled back                   the template of stable         retires the canary, releases
//	is being promoted                 nothing                        ends the promotion
//	is gone already, a canary stays   nothing                        removes it
//
// The template of stable is the one write of a user's template in all of Headgate. It is
// what `kubectl rollout undo` writes, and it is made because a person asked for it.
//
// Some manager must run meanwhile. The command that uses this package starts one of its
// own, which leads where no other does.
//
// Installation is the last part of an uninstall: admission goes, then the managers, and
// then the conditions, which a running manager would write again.
package cleanup
