package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gotest.tools/v3/golden"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/cmd/kubectl-headgate/doctor"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// hospital is a cluster in which Headgate is installed and well, until somebody changes it.
type hospital struct {
	*cluster
	manager *appsv1.Deployment
	lease   *coordinationv1.Lease
	webhook *admissionv1.MutatingWebhookConfiguration
	guard   *admissionv1.ValidatingAdmissionPolicyBinding
	secret  *corev1.Secret
	class   *netv1.IngressClass
	web     *appsv1.Deployment
	route   *netv1.Ingress

	version, prometheus string
	date                time.Time
	admits              error                  // what a dry run says
	mayNot              func(verb string) bool // of the manager and of the person
	forbidden           []string               // resources that the person may not read
	hiddenNamespaces    []string               // whose Deployments the person may not read
	more                []runtime.Object
}

func newHospital(t *testing.T) *hospital {
	t.Helper()
	chain, key := pair()
	meta := metav1.ObjectMeta{Namespace: "headgate-system", Name: "headgate", Labels: map[string]string{
		"app.kubernetes.io/name": "headgate", "app.kubernetes.io/instance": "headgate", "app.kubernetes.io/version": "0.1.0",
	}}
	h := &hospital{
		manager: &appsv1.Deployment{ObjectMeta: meta}, version: "1.37.2", date: time.Now(), mayNot: func(string) bool { return false },
		prometheus: `{"status":"success"}`, admits: errors.New(`admission webhook denied: annotation headgate.dev/strategy: "doctor"`),
	}
	h.manager.Spec.Replicas, h.manager.Status.AvailableReplicas = ptr.To[int32](2), 2
	h.manager.Spec.Template.Spec.ServiceAccountName = "headgate"
	h.manager.Spec.Template.Spec.Containers = []corev1.Container{{Name: "manager", Env: []corev1.EnvVar{
		{Name: "HEADGATE_PROMETHEUS_ADDRESS", Value: "http://prometheus.monitoring:9090"}, {Name: "HEADGATE_METRICS_SOURCE", Value: "traefik"},
	}}}
	h.lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: meta.Namespace, Name: "headgate"}}
	h.lease.Spec.HolderIdentity, h.lease.Spec.RenewTime = ptr.To("headgate-7d9_1"), ptr.To(metav1.NowMicro())
	h.webhook = &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "zz-headgate", Labels: meta.Labels}}
	h.webhook.Webhooks = []admissionv1.MutatingWebhook{{
		ClientConfig: admissionv1.WebhookClientConfig{CABundle: chain},
		NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"kube-system"}},
		}},
	}}
	h.guard = &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "headgate-guard", Labels: meta.Labels}}
	h.guard.Spec.PolicyName, h.guard.Spec.ValidationActions = "headgate-guard", []admissionv1.ValidationAction{admissionv1.Deny}
	h.secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: meta.Namespace, Name: "headgate-cert"},
		Data: map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key}}
	h.class = &netv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "nginx"}}
	h.class.Spec.Controller = "k8s.io/ingress-nginx"
	h.web = at("", func(d *appsv1.Deployment, _ *rollout.State) {
		d.Annotations = map[string]string{spec.AnnotationStrategy: "canary"}
		d.Spec.Template.Labels = map[string]string{"app": "web"}
	})
	h.route = &netv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	h.route.Spec.IngressClassName = ptr.To("nginx")
	h.route.Spec.Rules = []netv1.IngressRule{{Host: "web.test", IngressRuleValue: netv1.IngressRuleValue{HTTP: &netv1.HTTPIngressRuleValue{
		Paths: []netv1.HTTPIngressPath{{Path: "/", PathType: ptr.To(netv1.PathTypePrefix), Backend: netv1.IngressBackend{
			Service: &netv1.IngressServiceBackend{Name: "web", Port: netv1.ServiceBackendPort{Number: 80}}}}},
	}}}}
	return h
}

// open starts the API server.
func (h *hospital) open() {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}}}
	h.cluster = newCluster(append(h.more, h.manager, h.lease, h.webhook, h.guard, h.secret, h.class, h.web, h.route, service,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})...)
	h.PrependReactor("create", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) { return true, h.web, h.admits })
	for _, resource := range []string{"subjectaccessreviews", "selfsubjectaccessreviews"} {
		h.PrependReactor("create", resource, func(a clienttesting.Action) (bool, runtime.Object, error) { return true, h.review(a), nil })
	}
	h.PrependReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		resource := a.GetResource().Resource
		hidden := resource == "deployments" && slices.Contains(h.hiddenNamespaces, a.GetNamespace())
		refused := apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no"))
		return hidden || slices.Contains(h.forbidden, resource), nil, refused
	})
	h.all = func() (doctor.Cluster, error) {
		return doctor.Cluster{
			Admission: h.AdmissionregistrationV1(), Apps: h.AppsV1(), Auth: h.AuthorizationV1(), Batch: h.BatchV1(), Core: h.CoreV1(),
			Leases: h.CoordinationV1(), Network: h.NetworkingV1(), Policy: h.PolicyV1(), Scaling: h.AutoscalingV2(), Get: h.get,
		}, nil
	}
}

func (h *hospital) review(a clienttesting.Action) runtime.Object {
	switch review := a.(clienttesting.CreateAction).GetObject().(type) {
	case *authorizationv1.SubjectAccessReview:
		review.Status.Allowed = !h.mayNot(review.Spec.ResourceAttributes.Verb + " " + review.Spec.ResourceAttributes.Resource)
		return review
	case *authorizationv1.SelfSubjectAccessReview:
		review.Status.Allowed = !h.mayNot("self " + review.Spec.ResourceAttributes.Verb + " " + review.Spec.ResourceAttributes.Resource)
		return review
	}
	return nil
}

func (h *hospital) get(_ context.Context, path string) (int, http.Header, []byte, error) {
	header := http.Header{"Date": {h.date.UTC().Format(http.TimeFormat)}}
	switch {
	case path == "/version" && h.version != "":
		_, minor, _ := strings.Cut(h.version, ".")
		return http.StatusOK, header, fmt.Appendf(nil, `{"major":"1","minor":%q,"gitVersion":"v%s"}`, minor, h.version), nil
	case path == "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query=vector(1)":
		if h.prometheus == "" {
			return http.StatusServiceUnavailable, header, []byte(`no endpoints available for service "prometheus"`), nil
		}
		return http.StatusOK, header, []byte(h.prometheus), nil
	}
	return 0, nil, nil, errors.New("connection refused")
}

func TestDoctorFindsNothingInAHealthyCluster(t *testing.T) {
	h := newHospital(t)
	h.open()
	if code := h.run(t, "doctor"); code != 0 {
		t.Errorf("exit code %d: %s", code, h.err.String())
	}
	golden.Assert(t, h.out.String(), "doctor.golden")
	for line := range strings.SplitSeq(strings.TrimSpace(h.out.String()), "\n") {
		if !strings.HasPrefix(line, "ok ") && !strings.HasPrefix(line, " ") {
			t.Errorf("not ok: %s", line)
		}
	}
	h.run(t, "doctor", "web", "-o", "json")
	var seen struct {
		Schema string
		Checks []doctor.Check
	}
	if err := json.Unmarshal(h.out.Bytes(), &seen); err != nil || seen.Schema != doctor.Schema || len(seen.Checks) < 12 {
		t.Errorf("%v: %s", err, h.out.String())
	}
}

func TestDoctorWithoutAWebhook(t *testing.T) {
	for want, bound := range map[int]string{0: "headgate-hold", 1: "other"} {
		h := newHospital(t)
		c := &h.manager.Spec.Template.Spec.Containers[0]
		c.Env = append(c.Env, corev1.EnvVar{Name: "HEADGATE_ADMISSION_MODE", Value: "policy"})
		policy := &admissionv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "headgate-hold", Labels: h.manager.Labels}}
		binding := &admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: policy.ObjectMeta}
		binding.Spec.PolicyName = bound
		h.webhook.Name, h.more = "somebody-elses", []runtime.Object{policy, binding}
		h.open()
		if code := h.run(t, "doctor"); code != want {
			t.Errorf("bound to %s: exit code %d, want %d\n%s", bound, code, want, h.out.String())
		}
	}
}

// Each change is found, and said at the level at which it hurts.
func TestDoctor(t *testing.T) {
	env := func(h *hospital, name, value string) {
		c := &h.manager.Spec.Template.Spec.Containers[0]
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
	}
	for name, tt := range map[string]struct {
		change func(*hospital)
		level  doctor.Level
		check  string
		text   string
	}{
		"no API server":     {func(h *hospital) { h.version = "" }, doctor.Error, "API server", "connection refused"},
		"an old API server": {func(h *hospital) { h.version = "1.29" }, doctor.Error, "API server", "needs Kubernetes 1.31"},
		"a wrong clock": {func(h *hospital) { h.date = h.date.Add(-time.Hour); h.lease.Spec.RenewTime.Time = h.date }, doctor.Warning, "clock",
			"1h0m"},
		"not installed": {func(h *hospital) { h.manager.Labels = nil }, doctor.Error, "Headgate", "is not installed"},
		"no pod":        {func(h *hospital) { h.manager.Status.AvailableReplicas = 0 }, doctor.Error, "managers", "no pod that is available"},
		"one pod": {
			func(h *hospital) { h.manager.Spec.Replicas = ptr.To[int32](1); h.manager.Status.AvailableReplicas = 1 },
			doctor.Warning, "managers", "has one pod",
		},
		"scaled to 0": {func(h *hospital) { h.manager.Spec.Replicas = ptr.To[int32](0) }, doctor.Error, "managers", "scaled to 0"},
		"nobody leads": {
			func(h *hospital) { h.lease.Spec.RenewTime.Time = h.date.Add(-time.Hour) },
			doctor.Error, "leader", "no manager leads",
		},
		"a clock ahead": {func(h *hospital) { h.lease.Spec.RenewTime.Time = h.date.Add(time.Minute) }, doctor.Warning, "leader", "ahead"},
		"no webhook": {
			func(h *hospital) { h.webhook.Name = "other" },
			doctor.Error, "webhook", "no MutatingWebhookConfiguration zz-headgate",
		},
		"no bundle": {func(h *hospital) { h.webhook.Webhooks[0].ClientConfig.CABundle = nil }, doctor.Error, "certificate", "no caBundle"},
		"another bundle": {
			func(h *hospital) { h.webhook.Webhooks[0].ClientConfig.CABundle = anotherBundle() },
			doctor.Error, "certificate", "does not fit",
		},
		"an empty Secret": {func(h *hospital) { h.secret.Data = nil }, doctor.Error, "certificate", "holds no certificate"},
		"no guard":        {func(h *hospital) { h.guard.Labels = nil }, doctor.Warning, "guard", "there is no guard"},
		"nothing is refused": {func(h *hospital) {
			h.guard.Labels, h.webhook.Webhooks[0].FailurePolicy = nil, ptr.To(admissionv1.Ignore)
		}, doctor.Warning, "webhook", "failurePolicy is Ignore"},
		"no policy": {
			func(h *hospital) { env(h, "HEADGATE_ADMISSION_MODE", "policy") },
			doctor.Error, "policies", "no MutatingAdmissionPolicy",
		},
		"no Prometheus": {func(h *hospital) { h.prometheus = "" }, doctor.Error, "Prometheus", "503 Service Unavailable: no endpoints"},
		"no address":    {func(h *hospital) { env(h, "HEADGATE_PROMETHEUS_ADDRESS", "") }, doctor.Warning, "Prometheus", "no address is set"},
		"an outside one": {
			func(h *hospital) { env(h, "HEADGATE_PROMETHEUS_ADDRESS", "https://p.example.com") },
			doctor.NotChecked, "Prometheus", "only the managers know",
		},
		"another router": {
			func(h *hospital) { h.class.Spec.Controller = "haproxy.org/x" },
			doctor.Error, "ingress classes", "nginx (haproxy.org/x)",
		},
		"a missing right": {
			func(h *hospital) { h.mayNot = func(v string) bool { return v == "patch ingresses" } },
			doctor.Error, "rights of the managers", "patch ingresses",
		},
		"no rights of you": {
			func(h *hospital) { h.mayNot = func(v string) bool { return v == "self patch deployments" } },
			doctor.Warning, "your rights", "no rollout can be steered",
		},
		"nobody answers": {
			func(h *hospital) { h.admits = errors.New(`failed calling webhook "x": x509: unknown authority`) },
			doctor.Error, "admission", "cannot ask the managers",
		},
		"nobody checks": {func(h *hospital) { h.admits = nil }, doctor.Error, "admission", "let through"},
		"an excluded one": {
			func(h *hospital) { h.webhook.Webhooks[0].NamespaceSelector.MatchExpressions[0].Values[0] = "shop" },
			doctor.Error, "namespace shop", "leaves this namespace out",
		},
		"another namespace":  {func(h *hospital) { env(h, "HEADGATE_NAMESPACES", "blog") }, doctor.Error, "namespace shop", "no manager looks"},
		"a wrong annotation": {func(h *hospital) { h.web.Annotations[spec.AnnotationSteps] = "half" }, doctor.Error, "Deployment web", `"half"`},
		"no route":           {func(h *hospital) { h.route.Namespace = "elsewhere" }, doctor.Error, "Deployment web", "no Ingress has a path"},
		"no right to look at managers": {
			func(h *hospital) {
				h.web.Annotations[spec.AnnotationSteps], h.hiddenNamespaces = "half", []string{"", "headgate-system"}
			},
			doctor.Error, "Deployment web", `"half"`,
		},
		"no right to list": {
			func(h *hospital) {
				h.forbidden = []string{"cronjobs"}
				h.web.Annotations[spec.AnnotationSteps] = "0%, job=smoke, 100%" // and that is no error
			},
			doctor.NotChecked, "Deployments", "CronJobs: you may not read it",
		},
		"no right to read": {func(h *hospital) { h.forbidden = []string{"secrets"} }, doctor.NotChecked, "certificate", "you may not read it"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			tt.change(h)
			h.open()
			code := h.run(t, "doctor", "-o", "json")
			var seen struct{ Checks []doctor.Check }
			if err := json.Unmarshal(h.out.Bytes(), &seen); err != nil {
				t.Fatalf("%v: %s", err, h.out.String())
			}
			if !slices.ContainsFunc(seen.Checks, func(c doctor.Check) bool {
				return c.Level == tt.level && c.Name == tt.check && strings.Contains(c.Message, tt.text)
			}) {
				t.Errorf("there is no %s: %s: %s in\n%s", tt.level, tt.check, tt.text, h.out.String())
			}
			if want := map[bool]int{true: 1}[tt.level == doctor.Error]; code != want {
				t.Errorf("exit code %d, want %d\n%s", code, want, h.out.String())
			}
		})
	}
}

// pair is a serving certificate with its CA, and the key.
var pair = sync.OnceValues(newPair)

func newPair() (chain, key []byte) {
	chain, key, err := certutil.GenerateSelfSignedCertKey("headgate.headgate-system.svc", nil, nil)
	if err != nil {
		panic(err)
	}
	return chain, key
}

func anotherBundle() []byte {
	chain, _ := newPair()
	return chain
}

// The rights that are asked for are those that the chart grants.
func TestDoctorKnowsTheRightsOfTheChart(t *testing.T) {
	rules, err := os.ReadFile("../../charts/headgate/templates/_rules.tpl")
	if err != nil {
		t.Fatal(err)
	}
	h := newHospital(t)
	asked := map[string][]string{}
	h.mayNot = func(v string) bool {
		if verb, resource, _ := strings.Cut(v, " "); verb != "self" {
			asked[resource] = append(asked[resource], verb)
		}
		return false
	}
	h.open()
	h.run(t, "doctor")
	for block := range strings.SplitSeq(string(rules), "- apiGroups:") {
		_, resource, found := strings.Cut(block, "resources: [")
		resource, _, _ = strings.Cut(resource, "]")
		_, verbs, _ := strings.Cut(block, "verbs: [")
		verbs, _, _ = strings.Cut(verbs, "]")
		resource, _, _ = strings.Cut(resource, "/")
		if !found || strings.Contains(block, "resourceNames") || resource == "ingressclasses" || strings.Contains(block, "finalizers") {
			continue
		}
		for verb := range strings.SplitSeq(verbs, ", ") {
			if !slices.Contains(asked[resource], verb) {
				t.Errorf("doctor does not ask for %s %s", verb, resource)
			}
		}
	}
}
