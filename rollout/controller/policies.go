package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"

	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// observePolicies finds what is meant for the pods and would miss the canary's,
// because it selects on the label by which these differ: a NetworkPolicy that
// lets stable pods reach a database, a PodDisruptionBudget. That is no reason
// not to begin, and one to say so.
//
// Policies of other namespaces that name these pods as peers are not looked at.
func (r *Reconciler) observePolicies(ctx context.Context, s *snapshot) error {
	var policies netv1.NetworkPolicyList
	var budgets policyv1.PodDisruptionBudgetList
	for _, list := range []client.ObjectList{&policies, &budgets} {
		if err := r.Client.List(ctx, list, client.InNamespace(s.dep.Namespace)); err != nil {
			return fmt.Errorf("looking for what would miss the canary pods of Deployment %s/%s: %w", s.dep.Namespace, s.dep.Name, err)
		}
	}
	stable := s.dep.Spec.Template.Labels
	canary := maps.Clone(stable)
	maps.Copy(canary, s.target.Track)
	var missed []string
	for i := range policies.Items {
		if p := &policies.Items[i]; slices.ContainsFunc(policySelectors(p), matchesStableOnly(stable, canary)) {
			missed = append(missed, "NetworkPolicy "+p.Name)
		}
	}
	for i := range budgets.Items {
		if b := &budgets.Items[i]; matchesStableOnly(stable, canary)(b.Spec.Selector) {
			missed = append(missed, "PodDisruptionBudget "+b.Name)
		}
	}
	slices.Sort(missed)
	for _, name := range missed {
		s.Gaps = append(s.Gaps, rollout.Note{Reason: reason.CanaryNotCovered, Message: fmt.Sprintf(
			"%s selects the stable pods and not the canary's, whose label differs: let it select both values, or name another label in %s", name, spec.AnnotationTrackLabel)})
	}
	return nil
}

// policySelectors are the selectors of pods in the policy's own namespace: whom
// it is for, and whom it lets in or lets them reach.
func policySelectors(p *netv1.NetworkPolicy) []*metav1.LabelSelector {
	all := []*metav1.LabelSelector{&p.Spec.PodSelector}
	peers := []netv1.NetworkPolicyPeer{}
	for _, rule := range p.Spec.Ingress {
		peers = append(peers, rule.From...)
	}
	for _, rule := range p.Spec.Egress {
		peers = append(peers, rule.To...)
	}
	for _, peer := range peers {
		if peer.NamespaceSelector == nil && peer.PodSelector != nil {
			all = append(all, peer.PodSelector)
		}
	}
	return all
}

// matchesStableOnly says of a selector whether it selects stable pods and not canary pods.
// One that cannot be read selects nothing.
func matchesStableOnly(stable, canary map[string]string) func(*metav1.LabelSelector) bool {
	return func(selector *metav1.LabelSelector) bool {
		s, err := metav1.LabelSelectorAsSelector(selector)
		return err == nil && s.Matches(labels.Set(stable)) && !s.Matches(labels.Set(canary))
	}
}
