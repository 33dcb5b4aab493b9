// Package pmetricotlp has the part of OpenTelemetry's metrics that Prometheus calls to read a
// request. The lab's Prometheus takes no metrics from OpenTelemetry.
package pmetricotlp

import "errors"

var errAbsent = errors.New("the lab's Prometheus is built without OpenTelemetry's metrics")

// ExportRequest is a request without content.
type ExportRequest struct{}

// NewExportRequest returns an ExportRequest.
func NewExportRequest() ExportRequest { return ExportRequest{} }

// UnmarshalProto fails.
func (ExportRequest) UnmarshalProto([]byte) error { return errAbsent }

// UnmarshalJSON fails.
func (ExportRequest) UnmarshalJSON([]byte) error { return errAbsent }
