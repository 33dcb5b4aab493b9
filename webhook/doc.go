// Package webhook decides what happens to a write to a Deployment before the API
// server stores it. A write that brings a new pod template to an opted-in
// Deployment also gets spec.paused: true, in the same request, so the new template
// does not roll out. It waits until the manager releases it or the Deployment opts
// out. Start reading at Mutate.
//
// The package does not change a template, a replica count or a label. It does not
// start a canary either: the manager does, as soon as it sees the hold.
//
// Mutate is a pure function of the old object, the new object and the writer. It
// looks nothing up, and uses no clock and no random numbers. A dry run therefore
// gets the same answer as the real request; GitOps tools compare the two.
//
// The API server calls Handler, which decodes the request, calls Mutate, and counts
// and logs the decision. cmd/headgate wires it.
//
// # Words
//
//   - opted in: the Deployment has the annotation headgate.dev/strategy.
//   - marker: an annotation on the user's Deployment that only Headgate writes:
//     headgate.dev/rollout (the id of the rollout) and headgate.dev/phase. What
//     another writer puts there is ignored.
//   - hold, held: Headgate stops the template of an opted-in Deployment with
//     spec.paused and the marker headgate.dev/rollout. All three must be there. A
//     pause without the marker is the user's own.
//   - release: the end of a hold. The manager un-pauses the Deployment and removes
//     the marker; opting out does the same at once.
//   - restart: a template that differs from the last one only in the annotation
//     kubectl.kubernetes.io/restartedAt. It is the same version.
//   - bypass: a template rolls out without a canary, or without the rest of one. The
//     writer gets a warning, and headgate_bypass_total counts it.
//   - mistake: one thing that is wrong with one annotation. A request introduces a
//     mistake if the old object does not have it, or if the request changes that
//     annotation. Otherwise the mistake is inherited.
//
// # Decisions
//
// The first row that applies decides. "Template" is spec.template as the API server
// sent it: a field that this program does not know counts like any other.
//
//	the write                                         decision    what changes in it
//	------------------------------------------------  ----------  ----------------------------------
//	by the manager                                    Allowed     nothing
//	not opted in, neither before nor after            Allowed     nothing
//	opts out while held                               Released    un-paused, markers removed
//	opts out with a new template                      Bypassed    markers removed
//	opts out                                          Allowed     markers removed
//	introduces a mistake                              Denied      the write is refused
//	creates the Deployment                            Allowed     markers and command removed;
//	                                                              un-paused if it came held
//	held before, new template                         Held        paused, new markers
//	held before, same template                        StillHeld   paused, old markers
//	new template, the user's pause goes on            UserPaused  old markers
//	restart, the user wants no canary for restarts    Restarted   old markers
//	new template, or the user's pause ends:
//	  0 replicas before or after                      Bypassed    old markers
//	  strategy Recreate                               Bypassed    old markers
//	  otherwise                                       Held        paused, new markers
//	anything else                                     Allowed     old markers
//
// "New markers" also removes a command, which was given for the last template. A
// restart counts as a new template if it ends the user's pause, or if an inherited
// mistake hides what the user wants for restarts. An inherited mistake is never
// denied; the writer gets a warning.
package webhook
