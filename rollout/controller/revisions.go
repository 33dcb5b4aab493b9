package controller

import appsv1 "k8s.io/api/apps/v1"

func (s *seen) revisionsAgo([]appsv1.ReplicaSet) int { return 0 }
