package analysis

import (
	"time"

	"github.com/headgate/headgate/rollout"
)

func subject() rollout.Subject {
	return rollout.Subject{
		Namespace: "shop", Deployment: "web", CanaryDeployment: "web-canary", CanaryReplicaSet: "web-canary-6d4cf",
		Service: "web", CanaryService: "web-canary", ServicePort: "http",
		Ingress: "shop.example.com", CanaryIngress: "shop.example.com-canary",
		TrackLabel: "app.kubernetes.io/name", StableTrack: "web", CanaryTrack: "web-canary",
		Rollout: "7", Weight: 10, Window: 90 * time.Second,
	}
}
