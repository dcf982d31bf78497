/** The node type that keeps what has no counterpart. */
export const placeholder_type = 'n8n.placeholder'
