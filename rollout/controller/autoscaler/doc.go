// Package autoscaler keeps HorizontalPodAutoscalers from scaling stable down
// while a rollout may still need all of its pods.
//
// While the canary has half of the traffic, stable has half of the load, and its
// autoscaler removes half of its pods. A rollback would then send all traffic to
// the pods that are left. So Headgate switches scale-down off
// (spec.behavior.scaleDown.selectPolicy: Disabled) before it gives traffic to the
// canary, and puts the old value back after the rollout. Scale-up stays on.
//
// Words of this package:
//
//   - hold: switch the scale-down of an autoscaler off and put a mark on it.
//   - mark: the annotation spec.AnnotationScaleDown. It names the Deployment for
//     whose rollout the autoscaler is held, and the value to put back.
//   - free: put the value back and remove the mark.
//   - shrink: an autoscaler shrinks stable when it scales it down.
//
// Mark and field change in one patch, so that there is never one without the
// other. The patch names the resourceVersion that was read: when somebody else
// wrote meanwhile, nothing is written and the controller tries again.
//
// What somebody else writes to a held autoscaler wins. An autoscaler whose
// scale-down was switched on again stays as it is until the end of the rollout
// (mark.Lost), and only the mark is removed then. An autoscaler that another
// controller writes, such as KEDA's, is not held; Gaps says what to do.
//
// Package rollout decides when to hold (Decision.HoldScaleDown) and when to free
// (KeepScaleDownOff). Package rollout/controller calls a Holder through its
// interface Autoscalers; only cmd constructs one.
package autoscaler
