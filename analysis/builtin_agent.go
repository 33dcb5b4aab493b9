package analysis

import (
	"fmt"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// agentErrorRate is the part of the runs of an agent that ended in an error, by
// OpenTelemetry's GenAI conventions: a run with an error has the label error_type.
type agentErrorRate struct{}

const agentRuns = "gen_ai_invoke_agent_duration_seconds_count"

// agentCounters are the two counters of it, which are judged run by run.
var agentCounters = &ownCounters{ofPods: true, total: agentRuns, part: `,error_type!=""`}

func (agentErrorRate) name() string { return "agent-error-rate" }

func (m agentErrorRate) checkBound(c spec.Condition) error {
	return checkRatio(m, c, "agent-error-rate <= 5%")
}

func (agentErrorRate) query(_ sourceSeries, s rollout.Subject) string {
	side := podSide{s, canaryTrack}
	return fmt.Sprintf("(sum(%s) or vector(0)) / sum(%s)", side.increases(agentCounters.part, agentRuns), side.increases("", agentRuns))
}

func (agentErrorRate) needsTraffic() bool { return false }

func (agentErrorRate) docs() metricDocs {
	return metricDocs{
		meaning: "percentage of the runs of an agent that end in an error (OpenTelemetry GenAI)", bound: "`5%`, `1.2 * stable + 1%`, or none",
	}
}
