package controller

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// filled holds since when this manager has seen the ReplicaSet of an adoption filled. The
// API server's time of its creation is by another clock.
type filled struct{ perDeployment[seenFilled] }

type seenFilled struct {
	adopter types.UID
	since   time.Time
}

func (f *filled) since(s *snapshot) time.Time {
	key, adopter := client.ObjectKeyFromObject(s.dep), s.adoption.adopter.UID
	if known, ok := f.get(key); ok && known.adopter == adopter {
		return known.since
	}
	f.set(key, seenFilled{adopter, s.Now})
	return s.Now
}
