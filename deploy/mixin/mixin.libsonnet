// Made by `restorecheck rules mixin`: change it there.
{
  prometheusRules+:: {
  "groups": [
    {
      "name": "restorecheck.rules",
      "rules": [
        {
          "record": "check:restorecheck_run_last_completion_timestamp_seconds:last1h",
          "expr": "max without (instance, pod, container, endpoint) (last_over_time(restorecheck_run_last_completion_timestamp_seconds[1h]))"
        },
        {
          "record": "check:restorecheck_run_last_success_timestamp_seconds:last1h",
          "expr": "max without (instance, pod, container, endpoint) (last_over_time(restorecheck_run_last_success_timestamp_seconds[1h]))"
        },
        {
          "record": "check:restorecheck_run_last_verdict_timestamp_seconds:last1h",
          "expr": "max without (instance, pod, container, endpoint) (last_over_time(restorecheck_run_last_verdict_timestamp_seconds[1h]))"
        },
        {
          "record": "check:restorecheck_run_refused_timestamp_seconds:last1h",
          "expr": "max without (instance, pod, container, endpoint) (last_over_time(restorecheck_run_refused_timestamp_seconds[1h]))"
        },
        {
          "record": "check:restorecheck_recovery_point_timestamp_seconds:last1h",
          "expr": "max without (instance, pod, container, endpoint) (last_over_time(restorecheck_recovery_point_timestamp_seconds[1h]))"
        },
        {
          "record": "check:restorecheck_check_first_seen_timestamp_seconds:last1h",
          "expr": "max without (instance, pod, container, endpoint) (last_over_time(restorecheck_check_first_seen_timestamp_seconds[1h]))"
        },
        {
          "record": "check:restorecheck_check_expected_interval_seconds:last1h",
          "expr": "(max without (instance, pod, container, endpoint) (restorecheck_check_expected_interval_seconds) or max without (instance, pod, container, endpoint) (last_over_time(restorecheck_check_expected_interval_seconds[1h])))"
        },
        {
          "record": "check:restorecheck_check_rpo_objective_seconds:last1h",
          "expr": "(max without (instance, pod, container, endpoint) (restorecheck_check_rpo_objective_seconds) or max without (instance, pod, container, endpoint) (last_over_time(restorecheck_check_rpo_objective_seconds[1h])))"
        },
        {
          "record": "check:restorecheck_check_rto_objective_seconds:last1h",
          "expr": "(max without (instance, pod, container, endpoint) (restorecheck_check_rto_objective_seconds) or max without (instance, pod, container, endpoint) (last_over_time(restorecheck_check_rto_objective_seconds[1h])))"
        },
        {
          "record": "check:restorecheck_check_retention_seconds:last1h",
          "expr": "(max without (instance, pod, container, endpoint) (restorecheck_check_retention_seconds) or max without (instance, pod, container, endpoint) (last_over_time(restorecheck_check_retention_seconds[1h])))"
        },
        {
          "record": "check:restorecheck_check_info:last1h",
          "expr": "group without () (topk without (kind, engine, owner, critical) (1,\n  max without (instance, pod, container, endpoint) (max_over_time(timestamp(restorecheck_check_info)[1h:1m]))\n))"
        },
        {
          "record": "check:restorecheck_check_paused_at_timestamp_seconds",
          "expr": "  timestamp(max without (instance, pod, container, endpoint) (restorecheck_check_paused_until_timestamp_seconds) > time())\nor\n  last_over_time(check:restorecheck_check_paused_at_timestamp_seconds[1d])"
        },
        {
          "record": "check:restorecheck_check_watched_since_timestamp_seconds",
          "expr": "max without (from) (\n    label_replace(check:restorecheck_check_first_seen_timestamp_seconds:last1h, \"from\", \"0\", \"\", \"\")\n  or\n    label_replace(check:restorecheck_check_paused_at_timestamp_seconds, \"from\", \"1\", \"\", \"\")\n)"
        },
        {
          "record": "check:restorecheck_run_failed_timestamp_seconds",
          "expr": "  check:restorecheck_run_last_verdict_timestamp_seconds:last1h{verdict!=\"passed\"} > 0\n== ignoring (verdict) group_left ()\n  max without (verdict) (check:restorecheck_run_last_verdict_timestamp_seconds:last1h)"
        },
        {
          "record": "check:restorecheck_estimated_cost_usd_total:max",
          "expr": "max without (instance, pod, container, endpoint) (restorecheck_estimated_cost_usd_total)"
        }
      ]
    }
  ]
},
  prometheusAlerts+:: {
  "groups": [
    {
      "name": "restorecheck",
      "rules": [
        {
          "alert": "RestoreCheckFailed",
          "expr": "  check:restorecheck_run_failed_timestamp_seconds\n* ignoring (verdict, kind, engine, owner, critical) group_left (owner)\n  check:restorecheck_check_info:last1h\nor ignoring (owner)\n  check:restorecheck_run_failed_timestamp_seconds",
          "labels": {
            "severity": "critical"
          },
          "annotations": {
            "summary": "The newest run of a check did not pass.",
            "description": "Check {{ $labels.check }} is {{ $labels.verdict }}, by its run that ended at {{ $value | humanizeTimestamp }}. {{ if eq $labels.verdict \"broken\" }}This backup cannot be trusted.{{ else }}Whether this backup can be restored is not known.{{ end }}",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckFailed"
          }
        },
        {
          "alert": "RestoreCheckOverdue",
          "expr": "time() - max without (from) (\n    label_replace(check:restorecheck_run_last_success_timestamp_seconds:last1h, \"from\", \"0\", \"\", \"\")\n  or\n    label_replace(check:restorecheck_check_watched_since_timestamp_seconds, \"from\", \"1\", \"\", \"\")\n)\n> 2 * check:restorecheck_check_expected_interval_seconds:last1h + check:restorecheck_check_rto_objective_seconds:last1h",
          "for": "15m",
          "labels": {
            "severity": "critical"
          },
          "annotations": {
            "summary": "No run of a check has passed for two of its intervals.",
            "description": "Check {{ $labels.check }} has not passed for {{ $value | humanizeDuration }}.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckOverdue"
          }
        },
        {
          "alert": "RestoreCheckRecoveryPointTooOld",
          "expr": "time() - max without (from) (\n    label_replace(check:restorecheck_recovery_point_timestamp_seconds:last1h, \"from\", \"0\", \"\", \"\")\n  or\n    label_replace(check:restorecheck_check_watched_since_timestamp_seconds, \"from\", \"1\", \"\", \"\")\n)\n> check:restorecheck_check_rpo_objective_seconds:last1h + check:restorecheck_check_expected_interval_seconds:last1h + check:restorecheck_check_rto_objective_seconds:last1h",
          "for": "15m",
          "labels": {
            "severity": "critical"
          },
          "annotations": {
            "summary": "The newest backup that a run has proved is older than rpo, interval and rto together.",
            "description": "If check {{ $labels.check }} had to be restored now, what is proved is {{ $value | humanizeDuration }} old.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckRecoveryPointTooOld"
          }
        },
        {
          "alert": "RestoreCheckProofStale",
          "expr": "time() - (check:restorecheck_recovery_point_timestamp_seconds:last1h or check:restorecheck_check_first_seen_timestamp_seconds:last1h)\n> 0.7 * check:restorecheck_check_retention_seconds:last1h",
          "for": "15m",
          "labels": {
            "severity": "critical"
          },
          "annotations": {
            "summary": "The newest backup that a run has proved will soon be deleted: 70 % of its retention is over.",
            "description": "The proved recovery point of check {{ $labels.check }} is {{ $value | humanizeDuration }} old, more than 70 % of the time for which recovery points are kept.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckProofStale"
          }
        },
        {
          "alert": "RestoreCheckTooSlow",
          "expr": "(max without (instance, pod, container, endpoint, phase) (restorecheck_run_duration_seconds{phase=\"usable\"}) or max without (instance, pod, container, endpoint, phase) (last_over_time(restorecheck_run_duration_seconds{phase=\"usable\"}[1h])))\n> check:restorecheck_check_rto_objective_seconds:last1h",
          "labels": {
            "severity": "warning"
          },
          "annotations": {
            "summary": "The newest restore took longer than its objective.",
            "description": "Check {{ $labels.check }} took {{ $value | humanizeDuration }} until its data could be read.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckTooSlow"
          }
        },
        {
          "alert": "RestoreCheckStuck",
          "expr": "time() - max without (instance, pod, container, endpoint) (restorecheck_run_in_progress_start_timestamp_seconds > 0)\n> 3 * check:restorecheck_check_rto_objective_seconds:last1h",
          "for": "15m",
          "labels": {
            "severity": "warning"
          },
          "annotations": {
            "summary": "A run goes on for more than three times the objective of its restore.",
            "description": "The run of check {{ $labels.check }} goes on for {{ $value | humanizeDuration }}.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckStuck"
          }
        },
        {
          "alert": "RestoreCheckFlapping",
          "expr": "(max without (instance, pod, container, endpoint) (restorecheck_check_recent_flips) or max without (instance, pod, container, endpoint) (last_over_time(restorecheck_check_recent_flips[1h]))) >= 4",
          "labels": {
            "severity": "warning"
          },
          "annotations": {
            "summary": "A check keeps changing its verdict.",
            "description": "Check {{ $labels.check }} changed its verdict {{ $value }} times in its last 10 runs.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckFlapping"
          }
        },
        {
          "alert": "RestoreCheckFenceRefused",
          "expr": "check:restorecheck_run_refused_timestamp_seconds:last1h\n>= check:restorecheck_run_last_completion_timestamp_seconds:last1h",
          "labels": {
            "severity": "warning"
          },
          "annotations": {
            "summary": "The fence refused a call of the newest run of a check.",
            "description": "A run of check {{ $labels.check }} tried what it may not do; nothing was sent. It is a wrong configuration, or a bug.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckFenceRefused"
          }
        },
        {
          "alert": "RestoreCheckResourceLeaked",
          "expr": "(max without (instance, pod, container, endpoint) (restorecheck_leaked_resources) or max without (instance, pod, container, endpoint) (last_over_time(restorecheck_leaked_resources[1h]))) > 0",
          "for": "30m",
          "labels": {
            "severity": "warning"
          },
          "annotations": {
            "summary": "Something that a run restored was not deleted.",
            "description": "{{ $value }} of the kind {{ $labels.resource }} in account {{ $labels.aws_account }}, {{ $labels.aws_region }}: it holds a copy of production data, and costs money.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckResourceLeaked"
          }
        },
        {
          "alert": "RestoreCheckSweepOverdue",
          "expr": "  time() - (max without (instance, pod, container, endpoint) (last_over_time(restorecheck_sweep_last_success_timestamp_seconds[1h])) > 0) > 21600\nor\n  21600 * group without (instance, pod, container, endpoint, resource) (restorecheck_leaked_resources offset 6h)\n  and group without (instance, pod, container, endpoint, resource) (restorecheck_leaked_resources)\n  unless max without (instance, pod, container, endpoint) (restorecheck_sweep_last_success_timestamp_seconds) > 0",
          "for": "15m",
          "labels": {
            "severity": "warning"
          },
          "annotations": {
            "summary": "Nobody has looked for what runs left behind.",
            "description": "No sweep has seen all of account {{ $labels.aws_account }}, {{ $labels.aws_region }} for {{ $value | humanizeDuration }}: that nothing is left there is not known.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckSweepOverdue"
          }
        },
        {
          "alert": "RestoreCheckSweepTripped",
          "expr": "(max without (instance, pod, container, endpoint) (restorecheck_sweep_tripped) or max without (instance, pod, container, endpoint) (last_over_time(restorecheck_sweep_tripped[1h]))) == 1",
          "labels": {
            "severity": "warning"
          },
          "annotations": {
            "summary": "The sweep deleted nothing, because too much had expired.",
            "description": "More has outlived its lease than a crash leaves behind. A person has to decide.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckSweepTripped"
          }
        },
        {
          "alert": "RestoreCheckCostHigh",
          "expr": "sum without (check) (increase(check:restorecheck_estimated_cost_usd_total:max[30d]))\n> max without (instance, pod, container, endpoint) (restorecheck_cost_budget_usd)",
          "for": "1h",
          "labels": {
            "severity": "warning"
          },
          "annotations": {
            "summary": "Restores cost more than their budget.",
            "description": "The runs of 30 days cost about {{ printf \"%.0f\" $value }} USD.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckCostHigh"
          }
        },
        {
          "alert": "RestoreCheckDown",
          "expr": "absent(up{job=\"restorecheck\"} == 1)",
          "for": "15m",
          "labels": {
            "job": "restorecheck",
            "severity": "critical"
          },
          "annotations": {
            "summary": "Nothing is proving backups.",
            "description": "No process of the job restorecheck has answered a scrape for 15 minutes.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckDown"
          }
        },
        {
          "alert": "RestoreCheckSchedulerStalled",
          "expr": "time() - restorecheck_scheduler_last_tick_timestamp_seconds > 300",
          "for": "5m",
          "labels": {
            "severity": "critical"
          },
          "annotations": {
            "summary": "A process does not look at what is due.",
            "description": "{{ $labels.instance }} answers scrapes, but looked at its schedule {{ $value | humanizeDuration }} ago.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckSchedulerStalled"
          }
        },
        {
          "alert": "RestoreCheckStoreDown",
          "expr": "max without (instance, pod, container, endpoint) (max_over_time(restorecheck_store_up[5m])) == 0",
          "for": "5m",
          "labels": {
            "severity": "critical"
          },
          "annotations": {
            "summary": "The store cannot be read.",
            "description": "No process could read the store for 10 minutes: nothing begins, and nothing is known of any check.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckStoreDown"
          }
        },
        {
          "alert": "RestoreCheckNoChecks",
          "expr": "max without (instance, pod, container, endpoint, enabled) (restorecheck_checks{enabled=\"true\"}) == 0\nunless max without (instance, pod, container, endpoint, check) (restorecheck_check_paused_until_timestamp_seconds) > time()",
          "for": "15m",
          "labels": {
            "severity": "critical"
          },
          "annotations": {
            "summary": "The service runs, and there is no check for it to run.",
            "description": "A service that checks nothing reports no failure.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckNoChecks"
          }
        },
        {
          "alert": "RestoreCheckBadConfig",
          "expr": "max_over_time(restorecheck_config_last_reload_successful[5m]) == 0",
          "for": "10m",
          "labels": {
            "severity": "warning"
          },
          "annotations": {
            "summary": "The configuration could not be read again.",
            "description": "{{ $labels.instance }} goes on with an older configuration than the one that is there.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckBadConfig"
          }
        },
        {
          "alert": "RestoreCheckNotificationsFailing",
          "expr": "time() - min without (instance, pod, container, endpoint) (restorecheck_notification_oldest_pending_timestamp_seconds > 0) > 900",
          "for": "5m",
          "labels": {
            "severity": "critical"
          },
          "annotations": {
            "summary": "Somebody who should be told cannot be reached.",
            "description": "A notice to {{ $labels.receiver }} has waited for {{ $value | humanizeDuration }}.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckNotificationsFailing"
          }
        },
        {
          "alert": "RestoreCheckAlertPathUnproven",
          "expr": "time() - max without (instance, pod, container, endpoint) (last_over_time(restorecheck_notification_last_proven_timestamp_seconds[1h])) > 691200",
          "for": "1h",
          "labels": {
            "severity": "critical"
          },
          "annotations": {
            "summary": "It is not known whether notices still arrive.",
            "description": "{{ $labels.receiver }} acknowledged nothing for {{ $value | humanizeDuration }}, although it is tried every week.",
            "runbook_url": "http://restorecheck:9780/runbooks/RestoreCheckAlertPathUnproven"
          }
        }
      ]
    }
  ]
},
}
