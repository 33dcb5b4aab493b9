package convert

import (
	"strings"

	"github.com/headgate/headgate/rollout/spec"
)

// flaggerGates are the webhooks that ask whether a rollout may go on, as a gate does.
var flaggerGates = map[string]spec.GatePoint{
	"confirm-rollout":          spec.GateStart,
	"confirm-traffic-increase": spec.GateRise,
	"confirm-promotion":        spec.GatePromotion,
}

// flaggerNoGates are the others, each with what helps.
var flaggerNoGates = map[string]string{
	"pre-rollout":  "it does something, and a gate only asks; let a Job do it: a step job=NAME at weight 0 (docs/gates.md)",
	"rollout":      "it does something at every check, and a gate only asks; for a load test let a Job run beside the steps",
	"post-rollout": "Headgate calls nobody at the end; its events and its condition tell how a rollout ended",
	"rollback":     "a yes would mean a rollback; type kubectl headgate abort, or let a metric ask the same",
	"event":        "Headgate writes events of Kubernetes and calls nobody",
}

// flaggerHooks reads the webhooks.
func (c *conversion) flaggerHooks(list field) {
	for _, f := range list.items() {
		kind := f.at("type").text()
		if kind == "" {
			kind = "rollout"
		}
		point, asks := flaggerGates[kind]
		if !asks {
			why, known := flaggerNoGates[kind]
			if !known {
				why = "Headgate knows no such type of webhook"
			}
			f.lost("%s", why)
			continue
		}
		c.flaggerGate(f, point)
	}
}

func (c *conversion) flaggerGate(f field, point spec.GatePoint) {
	g := gate{Before: point, URL: f.at("url").text(), Timeout: f.at("timeout").text()}
	g.Retries, _ = f.at("retries").number()
	f.at("name").use()
	f.at("type").use()
	if err := c.plan.addGate(g); err != nil {
		f.lost("%s", strings.TrimSuffix(err.Error(), "."))
		return
	}
	f.at("muteAlert").unneeded("Headgate sends no alerts")
	f.at("metadata").lost("a question of Headgate has the namespace, the Deployment, the rollout and the weight, and nothing else")
	f.at("disableTLS").lost("Headgate checks the certificate of a gate")
	f.note(Changed, "the question has another body (docs/gates.md), and the operator of Headgate must allow the address "+
		"(HEADGATE_GATE_ADDRESSES)")
}
