package lab

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Sample describes the sample service as a user would deploy it: a Deployment, a Service
// and an Ingress with the same name. Host leads to it. Namespace, Name and Version are
// required.
type Sample struct {
	Namespace, Name string
	Version         string            // the image's tag
	Replicas        int32             // 0 means 1
	Annotations     map[string]string // of the Deployment
	Env             map[string]string // see package app: ERROR_RATE, LATENCY, …
	Scrape          bool              // Prometheus scrapes the pods
}

// Host is the host of the Ingress rule. It has the namespace and the name in it, so that
// tests can run in parallel.
func (s Sample) Host() string { return s.Name + "." + s.Namespace + ".test" }

// Image is the image of version.
func Image(version string) string { return AppImage + ":" + version }

func (s Sample) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name}
}

func (s Sample) labels() map[string]string { return map[string]string{"app": s.Name} }

// Deployment runs the sample service. /healthz is its readiness probe, and an update
// never takes a pod away before the new one is ready.
func (s Sample) Deployment() *appsv1.Deployment {
	dep := &appsv1.Deployment{ObjectMeta: s.meta()}
	dep.Annotations = maps.Clone(s.Annotations)
	dep.Spec = appsv1.DeploymentSpec{
		Replicas: new(max(s.Replicas, 1)),
		Selector: &metav1.LabelSelector{MatchLabels: s.labels()},
		Strategy: appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{
			MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromInt32(1)),
		}},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: s.labels()},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{s.container()}},
		},
	}
	if s.Scrape {
		dep.Spec.Template.Annotations = map[string]string{"prometheus.io/scrape": "true"}
	}
	return dep
}

func (s Sample) container() corev1.Container {
	c := corev1.Container{
		Name:  "app",
		Image: Image(s.Version),
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromString("http")}},
			PeriodSeconds: 1,
		},
	}
	c.Env = environment(s.Env)
	return c
}

func environment(values map[string]string) []corev1.EnvVar {
	var env []corev1.EnvVar
	for _, name := range slices.Sorted(maps.Keys(values)) {
		env = append(env, corev1.EnvVar{Name: name, Value: values[name]})
	}
	return env
}

// Service leads from port 80 to the port http of the sample's pods.
func (s Sample) Service() *corev1.Service {
	return &corev1.Service{ObjectMeta: s.meta(), Spec: corev1.ServiceSpec{
		Selector: s.labels(),
		Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
	}}
}

// Ingress routes Host to the Service.
func (s Sample) Ingress() *netv1.Ingress {
	return &netv1.Ingress{ObjectMeta: s.meta(), Spec: netv1.IngressSpec{
		IngressClassName: new(IngressClass),
		Rules: []netv1.IngressRule{{Host: s.Host(), IngressRuleValue: netv1.IngressRuleValue{
			HTTP: &netv1.HTTPIngressRuleValue{Paths: []netv1.HTTPIngressPath{{
				Path: "/", PathType: new(netv1.PathTypePrefix),
				Backend: netv1.IngressBackend{Service: &netv1.IngressServiceBackend{
					Name: s.Name, Port: netv1.ServiceBackendPort{Name: "http"},
				}},
			}}},
		}}},
	}}
}

// Autoscaler keeps between least and most replicas of the Deployment, so that a pod uses
// millicores of CPU on average. One request per second counts as podmetrics.PerRequest.
// It needs Options.Metrics.
func (s Sample) Autoscaler(least, most int32, millicores int64) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: s.meta(), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: s.Name},
		MinReplicas:    &least,
		MaxReplicas:    most,
		Metrics: []autoscalingv2.MetricSpec{{
			Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU,
				Target: autoscalingv2.MetricTarget{
					Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewMilliQuantity(millicores, resource.DecimalSI),
				},
			},
		}},
	}}
}
