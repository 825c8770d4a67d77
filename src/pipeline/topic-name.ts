/** What Kafka allows as the name of a topic; `.` and `..` alone are its only other rule. */
export const TOPIC_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;
