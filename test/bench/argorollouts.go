package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/test/bench/metrics"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/controlplane"
	"github.com/headgate/headgate/test/lab/parts"
	"github.com/headgate/headgate/test/lab/process"
)

const argoNamespace = "argo-rollouts"

var argoGroup = schema.GroupVersion{Group: "argoproj.io", Version: "v1alpha1"}

// ArgoRollouts is where Argo Rollouts is on this machine.
type ArgoRollouts struct {
	Program   string
	Manifests string // the directory manifests of its source
}

// FindArgoRollouts builds Argo Rollouts, which takes a network and some minutes, unless that
// was done before.
func FindArgoRollouts(ctx context.Context) (*ArgoRollouts, error) {
	paths, err := parts.Ensure(ctx, os.Stderr, parts.ArgoRollouts)
	if err != nil {
		return nil, err
	}
	source, err := parts.Source(ctx, parts.ArgoRollouts, "github.com/argoproj/argo-rollouts")
	if err != nil {
		return nil, err
	}
	return &ArgoRollouts{Program: paths[parts.ArgoRollouts], Manifests: filepath.Join(source, "manifests")}, nil
}

// argoRollouts is Argo Rollouts with the rights of its own manifests and the defaults of its
// own flags. It runs beside the lab's parts, not as a pod.
type argoRollouts struct {
	ArgoRollouts
	lab     *lab.Lab
	metrics string // URL
	stop    func() // nil while it does not run
}

func (*argoRollouts) name() string { return "Argo Rollouts" }
func (*argoRollouts) user() string {
	return "system:serviceaccount:" + argoNamespace + ":argo-rollouts"
}
func (*argoRollouts) program() string { return string(parts.ArgoRollouts) }

func (a *argoRollouts) install(ctx context.Context, _ string) error {
	if a.stop != nil {
		return nil
	}
	if err := a.apply(ctx); err != nil {
		return fmt.Errorf("install Argo Rollouts: %w", err)
	}
	kubeconfig, err := a.kubeconfig(ctx)
	if err != nil {
		return fmt.Errorf("install Argo Rollouts: %w", err)
	}
	spec := process.Spec{
		Name: "argo-rollouts", Path: a.Program, Log: filepath.Join(a.lab.Dir, "argo-rollouts.log"),
		Args: []string{"--kubeconfig", kubeconfig, "--namespace", argoNamespace},
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		supervise(running, spec)
	}()
	a.stop = func() {
		cancel()
		<-ended
	}
	ctx, cancelWait := context.WithTimeout(ctx, time.Minute)
	defer cancelWait()
	if err := lab.Poll(ctx, func() error { return answersOK(ctx, "http://127.0.0.1:8080/healthz") }); err != nil {
		return fmt.Errorf("install Argo Rollouts: %w, see %s", err, spec.Log)
	}
	return nil
}

// supervise keeps the program running until ctx is done, as a kubelet would: it ends itself
// when it loses its Lease, which happens on a machine that is too busy.
func supervise(ctx context.Context, spec process.Spec) {
	for ctx.Err() == nil {
		p, err := process.Start(spec)
		if err != nil {
			return // install sees that nothing answers
		}
		select {
		case <-ctx.Done():
			p.Stop(10 * time.Second)
		case <-p.Done():
			time.Sleep(time.Second)
		}
	}
}

func answersOK(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}

func (a *argoRollouts) remove(context.Context) error {
	if a.stop != nil {
		a.stop()
		a.stop = nil
	}
	return nil
}

// apply creates the CRDs and the ClusterRole of the manifests, and a ServiceAccount that has
// the role.
func (a *argoRollouts) apply(ctx context.Context) error {
	crds, err := filepath.Glob(filepath.Join(a.Manifests, "crds", "*-crd.yaml"))
	if err != nil {
		return err
	}
	if len(crds) == 0 {
		return fmt.Errorf("no CRD in %s", a.Manifests)
	}
	var objects []client.Object
	for _, file := range append(crds, filepath.Join(a.Manifests, "role", "argo-rollouts-clusterrole.yaml")) {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &obj.Object); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		objects = append(objects, obj)
	}
	account := metav1.ObjectMeta{Namespace: argoNamespace, Name: "argo-rollouts"}
	objects = append(objects,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: argoNamespace}},
		&corev1.ServiceAccount{ObjectMeta: account},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: account.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "argo-rollouts"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
		})
	for _, obj := range objects {
		if err := a.lab.Client().Create(ctx, obj); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return lab.Poll(ctx, func() error { return a.served(ctx) })
}

// served checks that the API server serves the kinds.
func (a *argoRollouts) served(ctx context.Context) error {
	for _, kind := range []string{"Rollout", "AnalysisTemplate", "AnalysisRun", "ClusterAnalysisTemplate", "Experiment"} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(argoGroup.WithKind(kind + "List"))
		if err := a.lab.Client().List(ctx, list, client.Limit(1)); err != nil {
			return fmt.Errorf("the API server does not serve %s yet: %w", kind, err)
		}
	}
	return nil
}

// kubeconfig writes one with a token that outlives the benchmark.
func (a *argoRollouts) kubeconfig(ctx context.Context) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: argoNamespace, Name: "argo-rollouts"}}
	request := authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(24 * 60 * 60))}}
	if err := a.lab.Client().SubResource("token").Create(ctx, account, &request); err != nil {
		return "", err
	}
	content, err := controlplane.Kubeconfig(a.lab.ControlPlane.ConfigWithToken(request.Status.Token))
	if err != nil {
		return "", err
	}
	file := filepath.Join(a.lab.Dir, "argo-rollouts.kubeconfig")
	return file, os.WriteFile(file, content, 0o600)
}

func (*argoRollouts) workload(a app) client.Object {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(argoGroup.WithKind("Rollout"))
	u.SetNamespace(a.namespace)
	u.SetName(a.name)
	return u
}

func (*argoRollouts) workloads() client.ObjectList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(argoGroup.WithKind("RolloutList"))
	return list
}

// read takes a Rollout for promoted when it is Healthy and its present template is stable.
func (*argoRollouts) read(workload client.Object) state {
	u := workload.(*unstructured.Unstructured)
	text := func(fields ...string) string {
		s, _, _ := unstructured.NestedString(u.Object, fields...)
		return s
	}
	containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	s := state{image: containers[0].(map[string]any)["image"].(string)}
	if text("status", "observedGeneration") != strconv.FormatInt(u.GetGeneration(), 10) {
		return s // the status is about an earlier template
	}
	hash := text("status", "currentPodHash")
	s.promoted = text("status", "phase") == "Healthy" && hash != "" && hash == text("status", "stableRS")
	if aborted, _, _ := unstructured.NestedBool(u.Object, "status", "abort"); aborted {
		s.failed = "aborted: " + text("status", "message")
	}
	return s
}

func (*argoRollouts) canaryIngress(a app) string { return a.name + "-" + a.name + "-canary" }

// objects are a Rollout with the pod template of the sample, its two Services and its
// Ingress, and what judges it.
func (r *argoRollouts) objects(a app) []client.Object {
	s := a.sample()
	canary := s.Service()
	canary.Name += "-canary"
	objects := []client.Object{s.Service(), canary, s.Ingress()}
	strategy := map[string]any{
		"stableService": a.name, "canaryService": canary.Name, "steps": argoSteps(a.steps),
		"trafficRouting": map[string]any{"nginx": map[string]any{"stableIngress": a.name}},
	}
	if a.interval > 0 {
		objects = append(objects, r.template(a))
		strategy["analysis"] = map[string]any{"templates": []any{map[string]any{"templateName": a.name}}}
	}
	dep := s.Deployment()
	a.complete(&dep.Spec.Template.Spec.Containers[0])
	template, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&dep.Spec.Template)
	if err != nil {
		panic(errors.Join(errors.New("a pod template can be no JSON"), err))
	}
	rollout := r.workload(a).(*unstructured.Unstructured)
	rollout.Object["spec"] = map[string]any{
		"replicas": int64(*dep.Spec.Replicas), "template": template,
		"selector": map[string]any{"matchLabels": map[string]any{"app": a.name}},
		"strategy": map[string]any{"canary": strategy},
	}
	return append(objects, rollout)
}

// template asks half a second later than a.interval: Argo Rollouts drops the fraction of the
// second in which it has measured. Told to measure every 1.5 s, it does so every second.
func (r *argoRollouts) template(a app) client.Object {
	interval := a.interval + 500*time.Millisecond
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(argoGroup.WithKind("AnalysisTemplate"))
	u.SetNamespace(a.namespace)
	u.SetName(a.name)
	u.Object["spec"] = map[string]any{"metrics": []any{map[string]any{
		"name": "value", "interval": interval.String(), "successCondition": "result[0] >= 0.9",
		"provider": map[string]any{"prometheus": map[string]any{"address": r.metrics, "query": metrics.QueryIn(a.target())}},
	}}}
	return u
}
