package analysis

import (
	"time"

	"github.com/prometheus/common/model"
)

// promDuration is d as PromQL writes it: 90 seconds are "1m30s".
func promDuration(d time.Duration) string { return model.Duration(d).String() }
