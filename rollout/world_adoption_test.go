package rollout_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelabels "k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/internal/apisim"
	"github.com/headgate/headgate/rollout/spec"
)

// Pods are numbers in the fields of the world. They become objects when a canary is
// paused, because from then on its pods change their owner, one by one.
//
//	canary paused   ReplicaSet deleted     pods get labels    ReplicaSet made    handed over
//	──────┼────────────────┼──────────────────────┼──────────────────┼────────────────┼─────►
//	   pods are objects    │◄─ no owner, nothing replaces one ─────►│◄─ its own ────►│ sets

// adopting says of each pod object when it becomes Available.
type adopting map[string]time.Time

// canarySet is the name of the ReplicaSet of the canary, and canaryHash the label that its pods
// have by it.
const (
	canarySet  = canaryName + "-" + canaryHash
	canaryHash = "6d4cf56db6"
)

// publishAdoption makes objects of the canary's ReplicaSet and, once the canary is
// paused, of its pods. Then it keeps the pods' conditions and the fields up to date.
func (w *world) publishAdoption() {
	w.forgetPods()
	c := w.canary
	if c == nil {
		return
	}
	dep := apisim.Get[*appsv1.Deployment](w.api, namespace, canaryName)
	set := apisim.Get[*appsv1.ReplicaSet](w.api, namespace, canarySet)
	if set == nil && !dep.Spec.Paused {
		set = &appsv1.ReplicaSet{ObjectMeta: meta(canarySet)}
		set.Spec.Replicas, set.Spec.Template = dep.Spec.Replicas, dep.Spec.Template
		set.Labels = dep.Spec.Template.Labels
		set.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(dep, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
		must(w.api.Create(set))
	}
	if dep.Spec.Paused && w.adopting == nil {
		w.adopting = adopting{}
	}
	if dep.Spec.Paused && !c.paused {
		c.paused = true
		for _, ready := range c.set.pods {
			w.startPod(set, dep.Spec.Template.Labels, ready)
		}
	}
	if dep.Spec.Paused {
		w.publishPods()
	}
}

// forgetPods drops the objects of pods that are only stable's any more.
func (w *world) forgetPods() {
	if w.adopting == nil {
		return
	}
	pods := w.podObjects(kubelabels.Everything())
	for _, pod := range pods {
		if pod.Labels[spec.LabelRollout] == "" {
			delete(w.adopting, pod.Name)
			must(w.api.Delete(&pod))
		}
	}
	if len(pods) == 0 {
		w.adopting = nil
	}
}

// startPod makes a pod of set.
func (w *world) startPod(set *appsv1.ReplicaSet, labels map[string]string, ready time.Time) {
	w.serial++
	pod := &corev1.Pod{ObjectMeta: meta(fmt.Sprintf("web-pod-%d", w.serial))}
	pod.Labels = maps.Clone(labels)
	pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = canaryHash
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
	w.adopting[pod.Name] = ready
	must(w.api.Create(pod))
}

// podObjects are the pods that selector selects, without those of Jobs.
func (w *world) podObjects(selector kubelabels.Selector) []corev1.Pod {
	var pods []corev1.Pod
	for _, pod := range apisim.All[*corev1.Pod](w.api) {
		if selector.Matches(kubelabels.Set(pod.Labels)) && pod.Labels[batchv1.ControllerUidLabel] == "" {
			pods = append(pods, *pod.DeepCopy())
		}
	}
	return pods
}

func ofRollout() kubelabels.Selector {
	selector, err := kubelabels.Parse(spec.LabelRollout)
	must(err)
	return selector
}

// publishPods writes which pods are Ready, and counts those of the canary.
func (w *world) publishPods() {
	w.canary.set.pods = nil
	for _, pod := range w.podObjects(kubelabels.Everything()) {
		ready := w.adopting[pod.Name]
		w.canary.set.pods = append(w.canary.set.pods, ready)
		status := corev1.ConditionFalse
		if !ready.After(w.now) {
			status = corev1.ConditionTrue
		}
		if len(pod.Status.Conditions) == 0 || pod.Status.Conditions[0].Status != status {
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(w.now)}}
			must(w.api.UpdateStatus(&pod))
		}
	}
}

// collect is the garbage collector and the ReplicaSet controller, for the ReplicaSets of
// an adoption.
func (w *world) collect() (acted bool) {
	if w.adopting == nil {
		return false
	}
	for _, rs := range apisim.All[*appsv1.ReplicaSet](w.api) {
		rs = rs.DeepCopy()
		switch {
		case slices.Contains(rs.Finalizers, metav1.FinalizerOrphanDependents):
			w.orphan(rs)
			acted = true
		case rs.Annotations[spec.AnnotationAdoptedBy] != "" && rs.DeletionTimestamp == nil:
			acted = w.fill(rs) || acted
		}
	}
	return acted
}

func (w *world) orphan(rs *appsv1.ReplicaSet) {
	for _, pod := range w.podObjects(kubelabels.Everything()) {
		if metav1.IsControlledBy(&pod, rs) {
			pod.OwnerReferences = nil
			must(w.api.Update(&pod))
		}
	}
	rs.Finalizers = nil
	must(w.api.Update(rs))
}

// fill lets rs take pods, start some that are missing and end some that are too many.
func (w *world) fill(rs *appsv1.ReplicaSet) (acted bool) {
	selector, err := metav1.LabelSelectorAsSelector(rs.Spec.Selector)
	must(err)
	var own []corev1.Pod
	for _, pod := range w.podObjects(selector) {
		if metav1.GetControllerOf(&pod) == nil {
			pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
			must(w.api.Update(&pod))
			acted = true
		}
		if metav1.IsControlledBy(&pod, rs) {
			own = append(own, pod)
		}
	}
	slices.SortFunc(own, func(a, b corev1.Pod) int { return w.adopting[a.Name].Compare(w.adopting[b.Name]) })
	for ; len(own) > int(*rs.Spec.Replicas); own = own[:len(own)-1] {
		must(w.api.Delete(&own[len(own)-1]))
		acted = true
	}
	for n := len(own) + len(w.fresh[rs.Name]); n < int(*rs.Spec.Replicas); n++ {
		ready := w.now.Add(startup)
		if w.broken[versionOf(rs.Spec.Template)] {
			ready = never
		}
		w.fresh[rs.Name] = append(w.fresh[rs.Name], ready)
		acted = true
	}
	pods := w.podsOf(rs)
	is := appsv1.ReplicaSetStatus{Replicas: int32(len(pods)), ObservedGeneration: rs.Generation}
	is.AvailableReplicas = int32(replicaSet{pods: pods}.available(w.now))
	if !apiequality.Semantic.DeepEqual(rs.Status, is) {
		rs.Status = is
		must(w.api.UpdateStatus(rs))
		w.manager.dirty = true
	}
	return acted
}

// podsOf is when each pod of rs becomes Available. Those that it started itself are no
// objects: they lack the labels of the rollout.
func (w *world) podsOf(rs *appsv1.ReplicaSet) []time.Time {
	pods := slices.Clone(w.fresh[rs.Name])
	for _, pod := range w.podObjects(kubelabels.Everything()) {
		if metav1.IsControlledBy(&pod, rs) {
			pods = append(pods, w.adopting[pod.Name])
		}
	}
	return pods
}

// sawSet notices writes to ReplicaSets. It wakes the manager where its watch does: see
// adoptionEvents in package controller.
func (w *world) sawSet(c apisim.Change) {
	w.wake(100 * time.Millisecond)
	for _, obj := range []client.Object{c.Old, c.New} {
		if obj != nil && (obj.GetAnnotations()[spec.AnnotationAdoptedBy] != "" || c.New == nil && obj.GetLabels()[spec.LabelRollout] != "") {
			w.manager.dirty = true
		}
	}
	switch was, is := c.Old, c.New; {
	case is == nil:
		w.web.sets = slices.DeleteFunc(w.web.sets, func(s replicaSet) bool { return s.object() == was.GetName() })
	case was != nil && was.GetAnnotations()[spec.AnnotationAdoptedBy] != "" && is.GetAnnotations()[spec.AnnotationAdoptedBy] == "":
		rs := is.(*appsv1.ReplicaSet)
		revisions := strings.Split(rs.Annotations[revision+"-history"], ",")
		if old := rs.Annotations[revision]; old != "" {
			revisions = append(revisions, old)
		}
		w.web.sets = append(w.web.sets, replicaSet{
			name: rs.Name, template: versionOf(rs.Spec.Template), pods: w.podsOf(rs), revision: w.web.latestRevision() + 1,
			history: strings.Trim(strings.Join(revisions, ","), ","),
		})
	}
}

// object is the name of the ReplicaSet.
func (s replicaSet) object() string {
	if s.name != "" {
		return s.name
	}
	return "web-" + s.template
}

// adoptedDie makes n of the pods that are objects unavailable until then.
func (w *world) adoptedDie(n int, until time.Time) {
	for _, pod := range w.podObjects(ofRollout()) {
		if n > 0 && w.adopting[pod.Name].Before(until) {
			n--
			w.adopting[pod.Name] = until
		}
	}
	w.wake(time.Second)
}

// toldOfSets is what a reader of a story is told of a write to a ReplicaSet.
func (w *world) toldOfSets(write apisim.Write) []string {
	if write.Kind != "ReplicaSet" {
		return nil
	}
	rs := apisim.Get[*appsv1.ReplicaSet](w.api, namespace, write.Key.Name)
	switch {
	case write.Verb == "create":
		return []string{fmt.Sprintf("makes a ReplicaSet for the canary's pods, size %d", *rs.Spec.Replicas)}
	case write.Verb == "patch" && rs.Annotations[spec.AnnotationAdoptedBy] == "":
		return []string{"gives that ReplicaSet to the Deployment"}
	case write.Verb == "patch":
		return []string{fmt.Sprintf("scales that ReplicaSet to %d", *rs.Spec.Replicas)}
	case rs != nil && rs.DeletionTimestamp != nil:
		return []string{"deletes a ReplicaSet and leaves its pods"}
	}
	return []string{"deletes a ReplicaSet"}
}
