package rollout_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/internal/apisim"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// The world has fields of its own, which the stories and the oracle read. The objects
// on the API server always say the same: publish writes what persons and controllers
// changed in the fields, and saw reads what anybody wrote to the objects.

const (
	namespace  = "shop"
	canaryName = "web-canary"
	revision   = "deployment.kubernetes.io/revision"
	nginx      = "nginx.ingress.kubernetes.io/"
)

// ingressNames are those of the stable Ingresses, in the order of world.routes.
var ingressNames = [2]string{"one", "two"}

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("the world itself is wrong: %v", err))
	}
}

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }

// build makes the objects that are there before the first rollout.
func (w *world) build() {
	w.api = apisim.NewServer(scheme.Scheme, w.time, w.saw)
	must(w.api.Create(&netv1.IngressClass{
		ObjectMeta: metav1.ObjectMeta{Name: "nginx"}, Spec: netv1.IngressClassSpec{Controller: "k8s.io/ingress-nginx"},
	}))
	must(w.api.Create(service()))
	for _, name := range ingressNames {
		must(w.api.Create(ingressOf(name)))
	}
	must(w.api.Create(cronJob()))
	dep := &appsv1.Deployment{ObjectMeta: meta("web"), Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, Replicas: new(int32),
	}}
	w.web.fill(dep)
	must(w.api.Create(dep))
}

func service() *corev1.Service {
	return &corev1.Service{ObjectMeta: meta("web"), Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "web"},
		Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}},
	}}
}

func ingressOf(name string) *netv1.Ingress {
	class, prefix := "nginx", netv1.PathTypePrefix
	path := netv1.HTTPIngressPath{Path: "/", PathType: &prefix, Backend: netv1.IngressBackend{
		Service: &netv1.IngressServiceBackend{Name: "web", Port: netv1.ServiceBackendPort{Name: "http"}},
	}}
	return &netv1.Ingress{ObjectMeta: meta(name), Spec: netv1.IngressSpec{IngressClassName: &class, Rules: []netv1.IngressRule{{
		Host:             name + ".example.com",
		IngressRuleValue: netv1.IngressRuleValue{HTTP: &netv1.HTTPIngressRuleValue{Paths: []netv1.HTTPIngressPath{path}}},
	}}}}
}

func cronJob() *batchv1.CronJob {
	suspended := true
	c := &batchv1.CronJob{ObjectMeta: meta("smoke"), Spec: batchv1.CronJobSpec{Schedule: "@yearly", Suspend: &suspended}}
	c.Spec.JobTemplate.Spec.Template.Spec = corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "smoke", Image: "smoke:1"}},
	}
	return c
}

func podTemplate(version string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "web", Image: "web:" + version, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		}}},
	}
}

func versionOf(t corev1.PodTemplateSpec) string {
	return strings.TrimPrefix(t.Spec.Containers[0].Image, "web:")
}

// set sets an annotation, or removes it where value is empty.
func set(obj client.Object, key, value string) {
	a := obj.GetAnnotations()
	if a == nil {
		a = map[string]string{}
	}
	a[key] = value
	if value == "" {
		delete(a, key)
	}
	obj.SetAnnotations(a)
}

// webSpec is what persons and the manager write on the user's Deployment.
type webSpec struct {
	template string
	replicas int
	paused   bool
	hold     string
	phase    spec.Phase
	command  string
	asked
}

// fill writes w to dep.
func (w webSpec) fill(dep *appsv1.Deployment) {
	dep.Spec.Template, dep.Spec.Paused = podTemplate(w.template), w.paused
	replicas := int32(w.replicas)
	dep.Spec.Replicas = &replicas
	analysis := ""
	if w.analysis {
		analysis = configMapOfRules
	}
	for key, value := range map[string]string{
		spec.AnnotationRollout: w.hold, spec.AnnotationPhase: string(w.phase), spec.AnnotationCommand: w.command,
		spec.AnnotationStrategy: w.strategy, spec.AnnotationSteps: w.steps, spec.AnnotationGates: w.gates,
		spec.AnnotationProgressDeadline: w.deadline, spec.AnnotationRolloutDeadline: w.rolloutDeadline,
		spec.AnnotationRollbackWindow: w.window, spec.AnnotationAnalysis: analysis, spec.AnnotationPromotion: w.promotion,
		spec.AnnotationReportStatus: w.report,
	} {
		set(dep, key, value)
	}
}

// readWebSpec is the inverse of fill.
func readWebSpec(dep *appsv1.Deployment) webSpec {
	a := dep.Annotations
	return webSpec{
		template: versionOf(dep.Spec.Template), replicas: int(*dep.Spec.Replicas), paused: dep.Spec.Paused,
		hold: a[spec.AnnotationRollout], phase: spec.Phase(a[spec.AnnotationPhase]), command: a[spec.AnnotationCommand],
		asked: asked{
			strategy: a[spec.AnnotationStrategy], steps: a[spec.AnnotationSteps], gates: a[spec.AnnotationGates],
			deadline: a[spec.AnnotationProgressDeadline], rolloutDeadline: a[spec.AnnotationRolloutDeadline],
			window: a[spec.AnnotationRollbackWindow], promotion: a[spec.AnnotationPromotion],
			report: a[spec.AnnotationReportStatus], analysis: a[spec.AnnotationAnalysis] != "",
		},
	}
}

// saw reads into the fields what was written to an object.
func (w *world) saw(c apisim.Change) {
	switch obj := cmp.Or(c.New, c.Old).(type) {
	case *appsv1.Deployment:
		if obj.Name == "web" {
			w.sawStable(obj)
		} else {
			w.sawCanary(c)
		}
	case *netv1.Ingress:
		w.sawIngress(c, obj.Name)
	case *batchv1.Job:
		w.sawJob(c, obj)
	case *appsv1.ReplicaSet:
		w.sawSet(c)
	case *autoscalingv2.HorizontalPodAutoscaler:
		down := obj.Spec.Behavior
		w.scaler.held = c.New != nil && down != nil && down.ScaleDown != nil &&
			*down.ScaleDown.SelectPolicy == autoscalingv2.DisabledPolicySelect
	}
}

func (w *world) sawStable(dep *appsv1.Deployment) {
	w.manager.dirty = true // its watch sees every write of the Deployment, also of the state
	d := &w.web
	d.webSpec, d.generation = readWebSpec(dep), int(dep.Generation)
	for _, c := range dep.Status.Conditions {
		if c.Type == spec.ConditionType {
			d.reason, d.message = reason.Reason(c.Reason), c.Message
		}
	}
	w.sawState()
}

// stateCondition is the condition that holds the state. nil: there is none.
func stateCondition(dep *appsv1.Deployment) *appsv1.DeploymentCondition {
	for i := range dep.Status.Conditions {
		if dep.Status.Conditions[i].Type == spec.ConditionState {
			return &dep.Status.Conditions[i]
		}
	}
	return nil
}

// sawState reads the state: it is on the user's Deployment, or still on the canary as
// that was created.
func (w *world) sawState() {
	canary := apisim.Get[*appsv1.Deployment](w.api, namespace, canaryName)
	if w.canary == nil || canary == nil {
		return
	}
	w.canary.state = canary.Annotations[spec.AnnotationState]
	if c := stateCondition(w.stable()); c != nil {
		if text, is := strings.CutPrefix(c.Message, fmt.Sprintf("canary %s: ", canary.UID)); is {
			w.canary.state = text
		}
	}
}

func (w *world) sawCanary(c apisim.Change) {
	if c.New == nil {
		w.canary = nil
		return
	}
	dep := c.New.(*appsv1.Deployment)
	if w.canary == nil {
		w.canary = &canaryDeployment{}
	}
	w.canary.set.template = versionOf(dep.Spec.Template)
	w.sawState()
	if !dep.Spec.Paused {
		w.resize(&w.canary.set, int(*dep.Spec.Replicas))
	}
}

func (w *world) sawIngress(c apisim.Change, name string) {
	i := slices.Index(ingressNames[:], strings.TrimSuffix(name, "-canary"))
	if i < 0 || name == ingressNames[i] {
		return
	}
	var r route
	if c.New != nil {
		r = readRoute(c.New.(*netv1.Ingress))
	}
	if w.routes[i] != r {
		w.routes[i] = r
		w.routesChanged()
	}
}

// readRoute reads a canary Ingress as ingress-nginx does, which does not look whether
// it is being deleted.
func readRoute(ing *netv1.Ingress) route {
	a := ing.Annotations
	r := route{rollout: ing.Labels[spec.LabelRollout], terminating: ing.DeletionTimestamp != nil}
	r.weight, _ = strconv.Atoi(a[nginx+"canary-weight"])
	r.recorded, _ = strconv.Atoi(a["headgate.dev/weight"])
	r.match = spec.Match{
		Header: a[nginx+"canary-by-header"], Value: a[nginx+"canary-by-header-value"],
		Pattern: a[nginx+"canary-by-header-pattern"], Cookie: a[nginx+"canary-by-cookie"],
	}
	return r
}

func (w *world) sawJob(c apisim.Change, obj *batchv1.Job) {
	run := strings.TrimPrefix(obj.Name, canaryName+"-")
	at := slices.IndexFunc(w.jobs, func(j job) bool { return j.run == run })
	switch {
	case c.New == nil:
		w.jobs = without(w.jobs, run)
		if pod := w.podOf(obj.Name); pod != nil {
			must(w.api.Delete(pod))
		}
	case at < 0:
		w.jobs = append(slices.Clone(w.jobs), job{run, rollout.JobActive, w.now.Add(jobTakes)})
	}
}

// stable is the user's Deployment as it is stored.
func (w *world) stable() *appsv1.Deployment {
	return apisim.Get[*appsv1.Deployment](w.api, namespace, "web")
}

// rewrite changes an object by hand, of any kind but the user's Deployment.
func rewrite[T client.Object](w *world, name string, change func(T)) {
	obj := apisim.Get[T](w.api, namespace, name)
	is := obj.DeepCopyObject().(T)
	change(is)
	must(w.api.Update(is))
}

func (w *world) canaryIngress(i int) string { return ingressNames[i] + "-canary" }

// leftovers are the objects of Headgate.
func (w *world) leftovers() (names []string) {
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &corev1.ServiceList{}, &netv1.IngressList{}, &batchv1.JobList{}, &appsv1.ReplicaSetList{}, &corev1.PodList{},
	} {
		mark := client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}
		if _, pods := list.(*corev1.PodList); pods {
			mark = nil // every pod that is an object was one of a canary
		}
		must(w.api.Live().List(context.Background(), list, mark))
		must(apimeta.EachListItem(list, func(obj runtime.Object) error {
			names = append(names, fmt.Sprintf("%T %s", obj, obj.(client.Object).GetName()))
			return nil
		}))
	}
	return names
}

// publishObjects writes to the objects what changed in the fields.
func (w *world) publishObjects() {
	dep := w.stable()
	if is := w.web.webSpec; is != readWebSpec(dep) {
		out := dep.DeepCopy()
		is.fill(out)
		must(w.api.Update(out))
	}
	for i := range w.web.sets {
		w.publishSet(&w.web.sets[i])
	}
	w.publishStatus()
	w.publishAdoption()
	if w.canary != nil {
		w.publishCanaryStatus()
	}
	w.publishScaler()
}

// published is what the status of a workload says; it spares the comparison of whole
// objects.
type published struct {
	pods, updated, available int
	revision                 int
	history                  string
	observed                 int
	stalled                  bool
	trouble                  string
}

func (w *world) publishSet(s *replicaSet) {
	is := published{pods: len(s.pods), available: s.available(w.now), revision: s.revision, history: s.history}
	if s.published == is {
		return
	}
	s.published = is
	name, pods := s.object(), int32(is.pods)
	set := func(rs *appsv1.ReplicaSet) {
		rs.Spec.Replicas = &pods
		rs.Annotations = map[string]string{revision: strconv.Itoa(s.revision), revision + "-history": s.history}
		rs.Status = appsv1.ReplicaSetStatus{Replicas: pods, AvailableReplicas: int32(is.available), ObservedGeneration: rs.Generation}
	}
	was := apisim.Get[*appsv1.ReplicaSet](w.api, namespace, name)
	if was == nil {
		rs := &appsv1.ReplicaSet{ObjectMeta: meta(name), Spec: appsv1.ReplicaSetSpec{Template: podTemplate(s.template)}}
		rs.Labels = map[string]string{"app": "web", appsv1.DefaultDeploymentUniqueLabelKey: s.template}
		rs.Spec.Template.Labels = rs.Labels
		owner := w.stable()
		rs.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
		set(rs)
		must(w.api.Create(rs))
		return
	}
	rs := was.DeepCopy()
	set(rs)
	status := rs.Status
	must(w.api.Update(rs))
	rs.Status = status
	must(w.api.UpdateStatus(rs))
}

func (w *world) publishStatus() {
	d := &w.web
	is := published{observed: d.observed, stalled: d.stalled(w.now)}
	for _, s := range d.sets {
		is.pods += len(s.pods)
		is.available += s.available(w.now)
		is.revision = max(is.revision, s.revision)
		if s.template == d.template {
			is.updated = len(s.pods)
		}
	}
	if d.published == is {
		return
	}
	d.published = is
	out := w.stable().DeepCopy()
	out.Status.ObservedGeneration = int64(is.observed)
	out.Status.Replicas, out.Status.UpdatedReplicas = int32(is.pods), int32(is.updated)
	out.Status.AvailableReplicas = int32(is.available)
	out.Status.Conditions = slices.DeleteFunc(out.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
		return c.Type == appsv1.DeploymentProgressing
	})
	if is.stalled {
		out.Status.Conditions = append(out.Status.Conditions, appsv1.DeploymentCondition{
			Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded",
		})
	}
	set(out, revision, strconv.Itoa(is.revision))
	must(w.api.UpdateStatus(out))
}

func (w *world) publishCanaryStatus() {
	dep := apisim.Get[*appsv1.Deployment](w.api, namespace, canaryName)
	s := &w.canary.set
	is := published{pods: len(s.pods), available: s.available(w.now), observed: int(dep.Generation)}
	if is.available < is.pods {
		is.trouble = w.trouble
	}
	if s.published == is {
		return
	}
	s.published = is
	out := dep.DeepCopy()
	out.Status = appsv1.DeploymentStatus{
		ObservedGeneration: dep.Generation, Replicas: int32(is.pods), AvailableReplicas: int32(is.available),
	}
	if is.trouble != "" {
		out.Status.Conditions = []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: is.trouble,
		}}
	}
	must(w.api.UpdateStatus(out))
}

// publishScaler says whether the autoscaler would shrink stable if it might.
func (w *world) publishScaler() {
	hpa := apisim.Get[*autoscalingv2.HorizontalPodAutoscaler](w.api, namespace, "web")
	limited := w.scaler.held && w.load() < w.web.replicas
	if hpa == nil || limited == (len(hpa.Status.Conditions) > 0) {
		return
	}
	out := hpa.DeepCopy()
	out.Status.Conditions = nil
	if limited {
		out.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{{
			Type: autoscalingv2.ScalingLimited, Status: corev1.ConditionTrue, Reason: "ScaleDownLimit",
		}}
	}
	must(w.api.UpdateStatus(out))
}

func newScaler(own bool) *autoscalingv2.HorizontalPodAutoscaler {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta("web"), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
		MaxReplicas:    20,
	}}
	if own {
		least := autoscalingv2.MinChangePolicySelect
		hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
			ScaleDown: &autoscalingv2.HPAScalingRules{SelectPolicy: &least},
		}
	}
	return hpa
}
