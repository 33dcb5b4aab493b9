// Package podmetrics is the lab's metrics.k8s.io/v1beta1 API. It tells
// HorizontalPodAutoscalers and kubectl top how busy pods are.
//
// It reports load, not CPU time: the CPU usage of a pod is the number of requests per
// second that it answered in the last seconds (http_request_duration_seconds_count of its
// /metrics on port 8080) times PerRequest, which is 10 millicores. Example: 30 requests
// per second are 300m. So two cores are enough to show dozens of busy pods. Memory is not
// measured. Only pods of the sample service are listed.
//
// It samples on demand. The first request for a pod finds no usage yet. The next one, a
// second or more later, does, if there is a request at least once per Window. Requests
// come through the API server, which has authenticated them. test/lab starts it and
// registers it.
package podmetrics
