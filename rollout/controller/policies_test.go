package controller

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestObservePolicies(t *testing.T) {
	selecting := func(key, value string) metav1.LabelSelector {
		return metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
	}
	policy := func(spec netv1.NetworkPolicySpec) client.Object {
		return &netv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "rules"}, Spec: spec}
	}
	from := func(p netv1.NetworkPolicyPeer) []netv1.NetworkPolicyIngressRule {
		return []netv1.NetworkPolicyIngressRule{{From: []netv1.NetworkPolicyPeer{p}}}
	}
	to := func(p netv1.NetworkPolicyPeer) []netv1.NetworkPolicyEgressRule {
		return []netv1.NetworkPolicyEgressRule{{To: []netv1.NetworkPolicyPeer{p}}}
	}
	budget := func(namespace string, selector *metav1.LabelSelector) client.Object {
		return &policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "two"},
			Spec:       policyv1.PodDisruptionBudgetSpec{Selector: selector},
		}
	}
	web, front, db := selecting("app", "web"), selecting("tier", "front"), selecting("app", "db")
	both := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"web", "web-canary"}},
	}}
	tests := map[string]struct {
		object client.Object
		want   []string
	}{
		"a policy for stable pods alone": {
			policy(netv1.NetworkPolicySpec{PodSelector: web}), []string{"NetworkPolicy rules"},
		},
		"a policy by a label that canary pods share": {policy(netv1.NetworkPolicySpec{PodSelector: front}), nil},
		"a policy for both":                          {policy(netv1.NetworkPolicySpec{PodSelector: both}), nil},
		"a policy for every pod":                     {policy(netv1.NetworkPolicySpec{}), nil},
		"a database that lets only stable pods in": {
			policy(netv1.NetworkPolicySpec{PodSelector: db, Ingress: from(netv1.NetworkPolicyPeer{PodSelector: &web})}),
			[]string{"NetworkPolicy rules"},
		},
		"a client that may reach only stable pods": {
			policy(netv1.NetworkPolicySpec{PodSelector: db, Egress: to(netv1.NetworkPolicyPeer{PodSelector: &web})}),
			[]string{"NetworkPolicy rules"},
		},
		"a peer in other namespaces": {
			policy(netv1.NetworkPolicySpec{
				PodSelector: db, Ingress: from(netv1.NetworkPolicyPeer{PodSelector: &web, NamespaceSelector: &db}),
			}),
			nil,
		},
		"a budget for stable pods alone": {budget("shop", &web), []string{"PodDisruptionBudget two"}},
		"a budget in another namespace":  {budget("else", &web), nil},
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(netv1.AddToScheme(scheme))
	utilruntime.Must(policyv1.AddToScheme(scheme))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := &Reconciler{Client: indexed(scheme).WithObjects(tt.object).Build()}
			s := &snapshot{dep: stableDeployment()}
			s.target.Track = map[string]string{"app": "web-canary"}
			if err := r.observePolicies(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			var missed []string
			for _, gap := range s.Gaps {
				name, _, _ := strings.Cut(gap.Message, " selects ")
				missed = append(missed, name)
			}
			if diff := cmp.Diff(tt.want, missed); diff != "" {
				t.Errorf("uncovered (-want +got):\n%s", diff)
			}
		})
	}
}
