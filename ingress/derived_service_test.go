package ingress

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

func TestCanaryService(t *testing.T) {
	stable := service("web", "web", func(svc *corev1.Service) {
		svc.Labels = map[string]string{"app.kubernetes.io/instance": "shop", "helm.sh/chart": "web-1"}
		svc.Annotations = map[string]string{
			"argocd.argoproj.io/tracking-id":            "shop:/Service:shop/web",
			"external-dns.alpha.kubernetes.io/hostname": "a.test",
		}
		svc.Finalizers = []string{"service.kubernetes.io/load-balancer-cleanup"}
		svc.Spec = corev1.ServiceSpec{
			Type:                     corev1.ServiceTypeLoadBalancer,
			ClusterIP:                "10.0.0.7",
			ClusterIPs:               []string{"10.0.0.7"},
			ExternalIPs:              []string{"192.0.2.1"},
			IPFamilies:               []corev1.IPFamily{corev1.IPv4Protocol},
			IPFamilyPolicy:           new(corev1.IPFamilyPolicySingleStack),
			InternalTrafficPolicy:    new(corev1.ServiceInternalTrafficPolicyLocal),
			PublishNotReadyAddresses: true,
			Selector:                 map[string]string{"app": "web"},
			Ports: []corev1.ServicePort{
				{Name: "http", Protocol: "TCP", Port: 80, TargetPort: intstr.FromString("web"), NodePort: 30080, AppProtocol: new("kubernetes.io/h2c")},
				{Name: "admin", Protocol: "TCP", Port: 9000, TargetPort: intstr.FromInt32(9001)},
			},
		}
	})
	untouched := stable.DeepCopy()

	got := buildService(target(), stable, forCanary)

	diff(t, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace,
			Name:      "web-canary",
			Labels:    map[string]string{"app.kubernetes.io/managed-by": "headgate", "headgate.dev/rollout": "7"},
			Annotations: map[string]string{
				"argocd.argoproj.io/compare-options":         "IgnoreExtraneous",
				"argocd.argoproj.io/ignore-resource-updates": "true",
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web",
				Controller: new(true), BlockOwnerDeletion: new(false),
			}},
		},
		Spec: corev1.ServiceSpec{
			Type:           corev1.ServiceTypeClusterIP,
			IPFamilies:     []corev1.IPFamily{corev1.IPv4Protocol},
			IPFamilyPolicy: new(corev1.IPFamilyPolicySingleStack),
			Selector:       map[string]string{"app": "web-canary", "headgate.dev/rollout": "7"},
			Ports: []corev1.ServicePort{
				{Name: "http", Protocol: "TCP", Port: 80, TargetPort: intstr.FromString("web"), AppProtocol: new("kubernetes.io/h2c")},
				{Name: "admin", Protocol: "TCP", Port: 9000, TargetPort: intstr.FromInt32(9001)},
			},
		},
	}, got)
	diff(t, untouched, stable)
}

func TestCanaryServiceStaysHeadless(t *testing.T) {
	headless := service("web", "web", func(svc *corev1.Service) { svc.Spec.ClusterIP = corev1.ClusterIPNone })
	diff(t, corev1.ClusterIPNone, buildService(target(), headless, forCanary).Spec.ClusterIP)
	diff(t, "", buildService(target(), service("web", "web"), forCanary).Spec.ClusterIP)
}

func TestMergeService(t *testing.T) {
	want := buildService(target(), service("web", "web"), forCanary)
	for name, tc := range map[string]struct {
		change func(*corev1.Service) // to what is in the cluster
		writes bool
	}{
		"what the API server sets is no difference": {func(svc *corev1.Service) {
			svc.Spec.ClusterIP, svc.Spec.ClusterIPs = "10.0.0.9", []string{"10.0.0.9"}
			svc.Spec.SessionAffinity = corev1.ServiceAffinityNone
			svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
		}, false},
		"annotations of other controllers stay": {func(svc *corev1.Service) {
			svc.Annotations["field.cattle.io/publicEndpoints"] = "[]"
			svc.Labels["team"] = "front"
		}, false},
		"the selector of the previous rollout": {func(svc *corev1.Service) { svc.Spec.Selector[spec.LabelRollout] = "6" }, true},
		"the label of the previous rollout":    {func(svc *corev1.Service) { svc.Labels[spec.LabelRollout] = "6" }, true},
		"a port that stable had before":        {func(svc *corev1.Service) { svc.Spec.Ports[0].Port = 81 }, true},
		"a type changed by hand":               {func(svc *corev1.Service) { svc.Spec.Type = corev1.ServiceTypeNodePort }, true},
	} {
		t.Run(name, func(t *testing.T) {
			existing := want.DeepCopy()
			tc.change(existing)
			merged := mergeService(existing, want)
			diff(t, tc.writes, (write{was: existing, want: merged}).isNeeded())
			diff(t, want.Spec.Selector, merged.Spec.Selector)
			diff(t, want.Spec.Ports, merged.Spec.Ports)
		})
	}
}

func TestCanarySelectorNeverMatchesStablePods(t *testing.T) {
	labelsOf := func(keys []string, values []string, most int) *rapid.Generator[map[string]string] {
		return rapid.MapOfN(rapid.SampledFrom(keys), rapid.SampledFrom(values), 1, most)
	}
	pairs := labelsOf([]string{"app", "tier", "track", "instance"}, []string{"web", "front", ""}, 4)
	rapid.Check(t, func(t *rapid.T) {
		pod := pairs.Draw(t, "pod")
		selector := labelsOf([]string{"app", "tier"}, []string{"web", "front"}, 2).Draw(t, "selector")
		tr := target(func(tr *rollout.Target) {
			tr.Track = pairs.Draw(t, "track")
			tr.Rollout = rapid.StringMatching(`[1-9][0-9]{0,5}`).Draw(t, "rollout")
		})
		got := canarySelector(tr, selector)
		if labels.SelectorFromSet(got).Matches(labels.Set(pod)) {
			t.Fatalf("%v matches stable pod %v", got, pod)
		}

		canary := labels.Merge(labels.Merge(selector, tr.Track), labels.Set{spec.LabelRollout: tr.Rollout})
		if !labels.SelectorFromSet(got).Matches(canary) {
			t.Fatalf("%v does not match canary pod %v", got, canary)
		}
		canary[spec.LabelRollout] += "0"
		if labels.SelectorFromSet(got).Matches(canary) {
			t.Fatalf("%v matches a pod of another rollout", got)
		}
	})
}
