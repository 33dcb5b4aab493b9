package ingress

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/headgate/headgate/rollout"
)

const namespace = "shop"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// target is Deployment web in rollout 7. Its pods have the labels app=web,tier=front.
func target(change ...func(*rollout.Target)) rollout.Target {
	pod := map[string]string{"app": "web", "tier": "front"}
	t := rollout.Target{
		Deployment: &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", UID: "uid-web"},
			Spec: appsv1.DeploymentSpec{
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod}},
			},
		},
		Rollout: "7",
		Track:   map[string]string{"app": "web-canary"},
	}
	for _, f := range change {
		f(&t)
	}
	return t
}

// service selects app=APP. Its port 80, named http, leads to port 8080 of the pods.
func service(name, app string, change ...func(*corev1.Service)) *corev1.Service {
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-svc-" + name)},
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: map[string]string{"app": app},
			Ports:    []corev1.ServicePort{{Name: "http", Protocol: "TCP", Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}
	for _, f := range change {
		f(svc)
	}
	return svc
}

// ingress is of class nginx.
func ingress(name string, rules ...netv1.IngressRule) *netv1.Ingress {
	return &netv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-ing-" + name)},
		Spec:       netv1.IngressSpec{IngressClassName: new("nginx"), Rules: rules},
	}
}

func annotated(ing *netv1.Ingress, keysAndValues ...string) *netv1.Ingress {
	if ing.Annotations == nil {
		ing.Annotations = map[string]string{}
	}
	for i := 0; i < len(keysAndValues); i += 2 {
		ing.Annotations[keysAndValues[i]] = keysAndValues[i+1]
	}
	return ing
}

func nginx(name string) string { return defaultDialect.key(name) }

func rule(host string, paths ...netv1.HTTPIngressPath) netv1.IngressRule {
	return netv1.IngressRule{
		Host:             host,
		IngressRuleValue: netv1.IngressRuleValue{HTTP: &netv1.HTTPIngressRuleValue{Paths: paths}},
	}
}

// path is of type Prefix and leads to port "http".
func path(at, service string) netv1.HTTPIngressPath {
	return pathTo(at, service, netv1.ServiceBackendPort{Name: "http"})
}

func pathTo(at, service string, port netv1.ServiceBackendPort) netv1.HTTPIngressPath {
	return netv1.HTTPIngressPath{
		Path:     at,
		PathType: new(netv1.PathTypePrefix),
		Backend:  netv1.IngressBackend{Service: &netv1.IngressServiceBackend{Name: service, Port: port}},
	}
}

func typed(p netv1.HTTPIngressPath, pathType *netv1.PathType) netv1.HTTPIngressPath {
	p.PathType = pathType
	return p
}

func resourcePath(at string) netv1.HTTPIngressPath {
	return netv1.HTTPIngressPath{
		Path:     at,
		PathType: new(netv1.PathTypePrefix),
		Backend:  netv1.IngressBackend{Resource: &corev1.TypedLocalObjectReference{Kind: "Bucket", Name: "static"}},
	}
}

func class(name, controller string) *netv1.IngressClass {
	return &netv1.IngressClass{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       netv1.IngressClassSpec{Controller: controller},
	}
}

func nginxClass() *netv1.IngressClass { return class("nginx", "k8s.io/ingress-nginx") }

// snapshotOf sorts objects as readSnapshot does.
func snapshotOf(t rollout.Target, objects ...any) snapshot {
	var services []corev1.Service
	var ingresses []netv1.Ingress
	var classes []*netv1.IngressClass
	for _, object := range objects {
		switch o := object.(type) {
		case *corev1.Service:
			services = append(services, *o)
		case *netv1.Ingress:
			ingresses = append(ingresses, *o)
		case *netv1.IngressClass:
			classes = append(classes, o)
		}
	}
	s := newSnapshot(defaultDialect, t.Deployment, services, ingresses)
	for _, c := range classes {
		s.classes[c.Name] = c
	}
	return s
}

// canaries returns the canary objects of Service web and of stable, with this weight.
func canaries(t rollout.Target, stable *netv1.Ingress, weight int) (*corev1.Service, *netv1.Ingress) {
	ing := defaultDialect.buildCanaryIngress(t, stable, serviceNames{"web": true}, trafficSplit{weight: weight})
	recordWriteTime(ing, noon)
	ing.UID = "uid-" + types.UID(ing.Name)
	svc := buildService(t, service("web", "web"), forCanary)
	svc.UID = "uid-svc-web-canary"
	return svc, ing
}

func diff(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
