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

// observePolicies finds the NetworkPolicies and PodDisruptionBudgets that select
// stable pods but miss canary pods, because they select on a track label. Example: a
// NetworkPolicy lets pods with app=web reach the database, and canary pods have
// app=web-canary. That is a gap and not a problem: the canary may start.
//
// It does not look at policies of other namespaces that name these pods as peers.
func (r *Reconciler) observePolicies(ctx context.Context, s *snapshot) error {
	stable := s.dep.Spec.Template.Labels
	canary := maps.Clone(stable)
	maps.Copy(canary, s.target.Track)
	var missed []string
	for _, key := range append(rollout.LabelKeys(stable), expressionsOnly) {
		names, err := r.policiesThatMatch(ctx, s.dep.Namespace, key, matchesStableOnly(stable, canary))
		if err != nil {
			return fmt.Errorf("listing the policies for pods of Deployment %s/%s: %w", s.dep.Namespace, s.dep.Name, err)
		}
		missed = append(missed, names...)
	}
	slices.Sort(missed)
	for _, name := range slices.Compact(missed) { // a policy with several selectors has several keys
		s.Gaps = append(s.Gaps, rollout.Note{Reason: reason.CanaryNotCovered, Message: fmt.Sprintf(
			"%s selects the stable pods but not the canary pods, which have another value of a label: "+
				"let it select both values, or name another label in %s", name, spec.AnnotationTrackLabel)})
	}
	return nil
}

// policiesThatMatch returns the kinds and names of the NetworkPolicies and
// PodDisruptionBudgets that selectorIndex finds by key and that have a selector for
// which matches is true.
func (r *Reconciler) policiesThatMatch(
	ctx context.Context, namespace, key string, matches func(*metav1.LabelSelector) bool,
) ([]string, error) {
	var policies netv1.NetworkPolicyList
	var budgets policyv1.PodDisruptionBudgetList
	for _, list := range []client.ObjectList{&policies, &budgets} {
		if err := r.Client.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{selectorIndex: key}); err != nil {
			return nil, err
		}
	}
	var names []string
	for i := range policies.Items {
		if p := &policies.Items[i]; slices.ContainsFunc(policySelectors(p), matches) {
			names = append(names, "NetworkPolicy "+p.Name)
		}
	}
	for i := range budgets.Items {
		if b := &budgets.Items[i]; matches(b.Spec.Selector) {
			names = append(names, "PodDisruptionBudget "+b.Name)
		}
	}
	return names, nil
}

// expressionsOnly is the key of a selector that has expressions and no labels, such as
// "app in (web, api)". It may match any pod.
const expressionsOnly = "*"

func policyKeys(obj client.Object) []string {
	policy, ok := obj.(*netv1.NetworkPolicy)
	if !ok {
		return nil
	}
	return selectorKeys(policySelectors(policy)...)
}

func budgetKeys(obj client.Object) []string {
	budget, ok := obj.(*policyv1.PodDisruptionBudget)
	if !ok {
		return nil
	}
	return selectorKeys(budget.Spec.Selector)
}

// selectorKeys returns the keys by which selectorIndex finds an object with these
// selectors. An empty selector has none: it selects canary pods as well as stable ones.
func selectorKeys(selectors ...*metav1.LabelSelector) []string {
	var keys []string
	for _, s := range selectors {
		switch {
		case s == nil:
		case len(s.MatchLabels) > 0:
			keys = append(keys, rollout.SelectorKey(s.MatchLabels))
		case len(s.MatchExpressions) > 0:
			keys = append(keys, expressionsOnly)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// policySelectors returns the selectors in p for pods of its own namespace: the pods
// that it is for, and the peers in its rules.
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

// matchesStableOnly returns a function that says whether a selector selects pods
// with the labels stable but not pods with the labels canary. A selector that cannot
// be parsed selects no pods.
func matchesStableOnly(stable, canary map[string]string) func(*metav1.LabelSelector) bool {
	return func(selector *metav1.LabelSelector) bool {
		s, err := metav1.LabelSelectorAsSelector(selector)
		return err == nil && s.Matches(labels.Set(stable)) && !s.Matches(labels.Set(canary))
	}
}
