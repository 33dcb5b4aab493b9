package ingress

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headgate/headgate/rollout/spec"
)

func TestFirstForeignPod(t *testing.T) {
	object := func(name string, owner types.UID) metav1.PartialObjectMetadata {
		m := metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name)}
		if owner != "" {
			m.OwnerReferences = []metav1.OwnerReference{{UID: owner, Controller: new(true)}}
		}
		return metav1.PartialObjectMetadata{ObjectMeta: m}
	}
	canary := object("web-canary-1", "uid-rs-canary")
	canary.Labels = map[string]string{spec.LabelRollout: "7"}
	leaving := object("leaving", "uid-rs-other")
	leaving.DeletionTimestamp = new(metav1.NewTime(noon))
	replicaSets := []metav1.PartialObjectMetadata{object("rs-old", "uid-web"), object("rs-new", "uid-web"), object("rs-other", "uid-other")}

	for name, tc := range map[string]struct {
		pods []metav1.PartialObjectMetadata
		want string
	}{
		"pods of any ReplicaSet of the Deployment": {
			[]metav1.PartialObjectMetadata{object("web-1", "uid-rs-old"), object("web-2", "uid-rs-new")}, ""},
		"no pods": {nil, ""},
		"a pod of another Deployment": {
			[]metav1.PartialObjectMetadata{object("web-1", "uid-rs-old"), object("api-1", "uid-rs-other")}, "api-1"},
		"a pod of a StatefulSet":               {[]metav1.PartialObjectMetadata{object("db-0", "uid-db")}, "db-0"},
		"a pod without an owner":               {[]metav1.PartialObjectMetadata{object("debug", "")}, "debug"},
		"canary pods do not count":             {[]metav1.PartialObjectMetadata{canary}, ""},
		"nor does a pod that is being deleted": {[]metav1.PartialObjectMetadata{leaving}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			diff(t, tc.want, firstForeignPod(tc.pods, replicaSets, target().Deployment))
		})
	}
}
