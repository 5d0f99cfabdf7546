// What the page uses of Preact and htm, for the type checker.
export const html: (strings: TemplateStringsArray, ...values: any[]) => any;
export const render: (what: any, where: Element) => void;
export const useState: <T>(first: T | (() => T)) => [T, (next: T | ((before: T) => T)) => void];
export const useEffect: (effect: () => any, inputs?: any[]) => void;
export const useRef: <T = any>(first?: any) => { current: T };
export const useMemo: <T>(make: () => T, inputs: any[]) => T;
export const useCallback: <T>(callback: T, inputs: any[]) => T;
