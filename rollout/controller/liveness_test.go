package controller

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestAlive(t *testing.T) {
	now := time.Minute
	r := &Reconciler{Elapsed: func() time.Duration { return now }}
	end := r.underway.begin(types.NamespacedName{Namespace: "shop", Name: "web"}, now)
	now += stuckAfter
	if err := r.Alive(nil); err != nil {
		t.Error(err)
	}
	now += time.Second
	if err := r.Alive(nil); err == nil || !strings.Contains(err.Error(), "shop/web takes 4m1s") {
		t.Errorf("Alive() = %v", err)
	}
	end()
	if err := r.Alive(nil); err != nil {
		t.Error(err)
	}
}
