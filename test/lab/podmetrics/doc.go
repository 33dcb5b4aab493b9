// Package podmetrics is the lab's metrics.k8s.io/v1beta1 API, by which
// HorizontalPodAutoscalers and kubectl top learn how busy pods are.
//
// Its number is real load, not real CPU time: a pod's CPU usage is the number of requests per second
// that its process says it answered in the last seconds (http_request_duration_seconds_count of its
// own /metrics on port 8080), times PerRequest. Two cores so show dozens of busy pods. Memory is not
// measured. Pods of other programs than the sample service are not listed.
//
// It samples on demand: the first question about a pod finds no usage yet, the next one, a second or more
// later, does, as long as somebody asks at least every Window. Requests are not authenticated: the API server,
// through which they come, has done that. test/lab starts it and registers it.
package podmetrics
