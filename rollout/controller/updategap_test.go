package controller

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

func TestUpdateGap(t *testing.T) {
	for name, tt := range map[string]struct {
		replicas           int32
		surge, unavailable string // "" is left out
		gap                bool
	}{
		"the defaults":                        {4, "", "", false},
		"the defaults with one replica":       {1, "", "", false},
		"one replica without a surge":         {1, "0", "1", true},
		"both are zero, so one may be":        {1, "0%", "0%", true},
		"all may be unavailable":              {4, "25%", "100%", true},
		"as a number":                         {4, "1", "4", true},
		"all but one":                         {4, "0", "3", false},
		"a percentage of few is rounded down": {2, "0", "99%", false},
		"nothing is to run":                   {0, "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			dep := stableDeployment()
			dep.Spec.Replicas = &tt.replicas
			update := &appsv1.RollingUpdateDeployment{}
			if tt.surge != "" {
				update.MaxSurge, update.MaxUnavailable = ptr.To(intstr.Parse(tt.surge)), ptr.To(intstr.Parse(tt.unavailable))
			}
			dep.Spec.Strategy.RollingUpdate = update
			if got := updateGap(dep); (got != "") != tt.gap {
				t.Errorf("updateGap() = %q", got)
			}
		})
	}
	dep := stableDeployment()
	dep.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	if updateGap(dep) == "" {
		t.Error("Recreate leaves no pod")
	}
}
