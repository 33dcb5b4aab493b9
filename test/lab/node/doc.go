// Package node is the lab's scheduler and kubelet in one: it registers a Node,
// binds every pod to it, and runs each container as a real process on the pod's own
// IP address, with probes, restarts, back-off and graceful deletion as a
// kubelet does them.
//
// It does not pull images: Options.Program says which program an image stands for. It does not
// run init containers or exec probes, mount volumes, or limit resources: processes see the
// machine's file system, but for the files that lead to the cluster's name server. A termination
// message is the end of the log, where the container's policy asks for that, and no file.
// test/lab starts it, inside the namespace that test/lab/netns makes.
package node
