package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// In every story the conditions for kstatus cost no write and change nothing else. The
// oracle looks at what they say; see kstatusIsTrue.
func TestStoriesWithKstatusHaveTheSameWrites(t *testing.T) {
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			without, with := s.begin(t), s.begin(t)
			without.annotated("example.org/any", "kstatus") // so that its rollouts have the same names
			with.annotated(spec.AnnotationReportStatus, "kstatus")
			s.tell(without)
			s.tell(with)
			if diff := cmp.Diff(strings.Split(without.log.String(), "\n"), strings.Split(with.log.String(), "\n")); diff != "" {
				t.Errorf("(-without +with kstatus)\n%s", diff)
			}
			if diff := cmp.Diff(without.manager.listed, with.manager.listed); diff != "" {
				t.Errorf("writes (-without +with kstatus)\n%s", diff)
			}
		})
	}
}

// A person may ask for the conditions in the middle of a rollout, and may change his
// mind. Each time they follow at once, in one write and without an event.
func TestKstatusFollowsTheAnnotation(t *testing.T) {
	for name, until := range map[string]func(*world){
		"a canary runs": func(w *world) { w.untilReason(reason.Waiting) },
		"it was rolled back": func(w *world) {
			w.untilReason(reason.Waiting)
			w.command("abort")
			w.untilReason(reason.AbortedByCommand)
			w.rest()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "50%, 1h", false)
			w.apply("v2")
			until(w)
			for _, value := range []string{"kstatus", "", "kstatus"} {
				w.manager.listed = nil
				w.reportStatus(value)
				w.run(0)
				if diff := cmp.Diff([]string{"patch Deployment web status"}, w.manager.listed); diff != "" {
					t.Errorf("report-status %q: writes (-want +got)\n%s", value, diff)
				}
				if got := len(w.kstatus()); got != len(value)/len("kstatus") {
					t.Errorf("report-status %q: %d conditions", value, got)
				}
			}
		})
	}
}

// A condition that is not Headgate's stays.
func TestKstatusLeavesConditionsOfOthers(t *testing.T) {
	w := newWorld(t, "50%, 1m", false)
	rewriteStatus(w, appsv1.DeploymentCondition{Type: spec.ConditionStalled, Status: corev1.ConditionTrue, Reason: "QuotaSpent"})
	w.oracle.foreign = true
	w.apply("v2")
	w.untilReason(reason.Promoted)
	if got := w.kstatus(); len(got) != 1 || got[0].Reason != "QuotaSpent" {
		t.Errorf("the conditions are %v", got)
	}
}

// annotated is a world that begins with an annotation on the Deployment.
func (w *world) annotated(key, value string) {
	dep := w.stable().DeepCopy()
	set(dep, key, value)
	must(w.api.Update(dep))
	w.changed()
	w.run(time.Second)
	w.start, w.manager.writes, w.manager.listed = w.now, 0, nil
	w.log.Reset()
}

// reportStatus sets or removes the annotation.
func (w *world) reportStatus(value string) {
	w.admit(func(d *webSpec) { d.report = value })
	w.changed()
}

func rewriteStatus(w *world, c appsv1.DeploymentCondition) {
	dep := w.stable().DeepCopy()
	dep.Status.Conditions = append(dep.Status.Conditions, c)
	must(w.api.UpdateStatus(dep))
}

// kstatus is what kstatus reads, of the user's Deployment.
func (w *world) kstatus() (found []appsv1.DeploymentCondition) {
	for _, c := range w.stable().Status.Conditions {
		if c.Type == spec.ConditionReconciling || c.Type == spec.ConditionStalled {
			found = append(found, c)
		}
	}
	return found
}

// kstatusIsTrue: where the user asks for it, and only there, a condition says that the
// rollout goes on or has ended badly, in the words of Headgate's own condition.
func (k *oracle) kstatusIsTrue() {
	w := k.w
	if k.foreign {
		return
	}
	var want []appsv1.DeploymentCondition
	if spec.ReportsKstatus(w.stable().Annotations) && w.web.phase != "" {
		kind := appsv1.DeploymentConditionType(spec.ConditionReconciling)
		if w.web.phase == spec.RolledBack || w.web.reason == reason.PromotionStalled {
			kind = spec.ConditionStalled
		}
		want = []appsv1.DeploymentCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: string(w.web.reason), Message: w.web.message}}
	}
	var got []appsv1.DeploymentCondition
	for _, c := range w.kstatus() {
		got = append(got, appsv1.DeploymentCondition{Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.fail("the conditions for kstatus in phase %q (-want +got)\n%s", w.web.phase, diff)
	}
}
